// SPDX-License-Identifier: Apache-2.0
// Told again at the same entry: who asks sees what others have made of the call before it is run.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

constexpr uint32_t kEntry = UTRACE_EVENT(SYSCALL_ENTRY);
constexpr uint32_t kSkip =
    static_cast<uint32_t>(UTRACE_RESUME) | static_cast<uint32_t>(UTRACE_SYSCALL_ABORT);

class SyscallAgain : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_GT(engine_ = asks_.AttachForCalls(tracee_.pid(), kEntry, {SYS_getpriority}), 0);
    ASSERT_GT(other_.AttachForCalls(tracee_.pid(), kEntry, {SYS_getpriority}), 0);
  }
  // Both are told of the call.
  void Trigger() {
    tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
    first_ = Held(asks_);
    second_ = Held(other_);
    EXPECT_EQ(first_.flags, 0u);
  }
  static utrace_notice Held(Device& device) {
    const utrace_notice notice = device.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, kEntry) << ToString(notice);
    return notice;
  }
  utrace_notice HeldAgain(uint32_t flags = 0) {
    const utrace_notice notice = Held(asks_);
    EXPECT_EQ(notice.flags, UTRACE_NOTICE_RESUMED | flags);
    return notice;
  }
  static void NothingToTell(Device& device) {
    const utrace_notice notice = device.Next(200);
    EXPECT_EQ(notice.type, 0u) << ToString(notice);
  }
  int Rewrite(Device& device, const utrace_notice& notice, int nr, uint64_t argument,
              uint32_t action = UTRACE_RESUME) {
    utrace_answer answer = AnswerTo(notice, action);
    answer.flags = UTRACE_ANSWER_SET_CALL;
    answer.nr = nr;
    answer.args[0] = argument;
    return device.Answer(answer);
  }

  Tracee tracee_{{"actor"}};
  Device asks_ = Device::Open();
  Device other_ = Device::Open();
  int64_t engine_ = 0;
  utrace_notice first_{};
  utrace_notice second_{};
};

TEST_F(SyscallAgain, SmokeWhoAsksSeesTheCallAsItIsNow) {
  Trigger();
  ASSERT_EQ(asks_.Answer(AnswerTo(first_, UTRACE_REPORT)), 0);
  NothingToTell(asks_);
  ASSERT_EQ(Rewrite(other_, second_, SYS_close, 999), 0);
  const utrace_notice again = HeldAgain();
  EXPECT_EQ(again.nr, SYS_close);
  EXPECT_EQ(again.args[0], 999u);
  EXPECT_EQ(tracee_.Hear(100), "");
  EXPECT_EQ(asks_.Resume(again), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EBADF));
  // Who did not ask is not, and nobody is again later.
  NothingToTell(other_);
  NothingToTell(asks_);
}

TEST_F(SyscallAgain, ItsWordIsTheLast) {
  Trigger();
  ASSERT_EQ(asks_.Answer(AnswerTo(first_, UTRACE_REPORT)), 0);
  ASSERT_EQ(Rewrite(other_, second_, SYS_close, 999), 0);
  ASSERT_EQ(Rewrite(asks_, HeldAgain(), SYS_getpid, 0), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(tracee_.pid()));
}

TEST_F(SyscallAgain, AsOftenAsItAsks) {
  Trigger();
  EXPECT_EQ(other_.Resume(second_), 0);
  utrace_notice notice = first_;
  for (int time = 0; time < 5; ++time) {
    ASSERT_EQ(Rewrite(asks_, notice, SYS_close, 900 + time, UTRACE_REPORT), 0);
    notice = HeldAgain();
    EXPECT_EQ(notice.args[0], 900u + time);
  }
  EXPECT_EQ(asks_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EBADF));
}

TEST_F(SyscallAgain, AskedForFromOutside) {
  Trigger();
  ASSERT_EQ(asks_.Control(engine_, tracee_.pid(), UTRACE_REPORT), 0);
  EXPECT_EQ(asks_.Resume(first_), 0);
  EXPECT_EQ(other_.Resume(second_), 0);
  EXPECT_EQ(asks_.Resume(HeldAgain()), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

// Each that asked, and in the same order.
TEST_F(SyscallAgain, BothMayAsk) {
  Trigger();
  ASSERT_EQ(asks_.Answer(AnswerTo(first_, UTRACE_REPORT)), 0);
  ASSERT_EQ(Rewrite(other_, second_, SYS_close, 999, UTRACE_REPORT), 0);
  const utrace_notice mine = HeldAgain();
  const utrace_notice others = Held(other_);
  EXPECT_EQ(others.flags, UTRACE_NOTICE_RESUMED);
  EXPECT_EQ(others.nr, SYS_close);
  EXPECT_EQ(other_.Resume(others), 0);
  EXPECT_EQ(asks_.Resume(mine), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EBADF));
}

TEST_F(SyscallAgain, ThatItIsSkippedStands) {
  Trigger();
  ASSERT_EQ(asks_.Answer(AnswerTo(first_, UTRACE_REPORT)), 0);
  utrace_answer skip = AnswerTo(second_, kSkip);
  skip.flags = UTRACE_ANSWER_SET_RESULT;
  skip.result = 4711;
  ASSERT_EQ(other_.Answer(skip), 0);
  EXPECT_EQ(asks_.Resume(HeldAgain(UTRACE_NOTICE_DECIDED)), 0);
  EXPECT_EQ(tracee_.Hear(), "4711");
}

TEST_F(SyscallAgain, ItMaySkipWhatTheOtherLetRun) {
  Trigger();
  ASSERT_EQ(asks_.Answer(AnswerTo(first_, UTRACE_REPORT)), 0);
  EXPECT_EQ(other_.Resume(second_), 0);
  utrace_answer skip = AnswerTo(HeldAgain(), kSkip);
  skip.flags = UTRACE_ANSWER_SET_RESULT;
  skip.result = 4712;
  ASSERT_EQ(asks_.Answer(skip), 0);
  EXPECT_EQ(tracee_.Hear(), "4712");
}

TEST_F(SyscallAgain, WhoLeavesIsNotToldAgain) {
  Trigger();
  ASSERT_EQ(asks_.Answer(AnswerTo(first_, UTRACE_REPORT)), 0);
  asks_.Close();
  EXPECT_EQ(other_.Resume(second_), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallAgain, KilledItIsNot) {
  Trigger();
  ASSERT_EQ(asks_.Answer(AnswerTo(first_, UTRACE_REPORT)), 0);
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
  EXPECT_EQ(asks_.Next().type, UTRACE_NOTICE_GONE);
}

}  // namespace
}  // namespace utrace::test
