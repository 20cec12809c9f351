// SPDX-License-Identifier: Apache-2.0
// Calls by other tables than the 64-bit one: i386 by either way into the kernel, and x32.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

constexpr int kGetpriority32 = 96;
constexpr int kGetppid32 = 64;
constexpr int kX32 = 0x40000000;

// By int 0x80, or by the vDSO's fast way.
class Compat : public testing::TestWithParam<const char*> {
 protected:
  void Attach(uint32_t events) {
    engine_ = device_.AttachForCalls(tracee_.pid(), events, {kGetpriority32});
    ASSERT_GT(engine_, 0);
    tracee_.Tell(GetParam());
  }
  utrace_notice Held(uint32_t event) {
    const utrace_notice notice = device_.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, event);
    EXPECT_EQ(notice.nr, kGetpriority32);
    EXPECT_EQ(notice.flags & UTRACE_NOTICE_COMPAT, UTRACE_NOTICE_COMPAT);
    return notice;
  }

  Tracee tracee_{{"calls32"}};
  Device device_ = Device::Open();
  int64_t engine_ = 0;
};

// A line has two bytes with its end.
INSTANTIATE_TEST_SUITE_P(Calls, Compat, testing::Values("i", "v"));

TEST_P(Compat, SmokeAreToldByTheirNumber) {
  Attach(UTRACE_EVENT_SYSCALL);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SYSCALL_ENTRY))), 0);
  EXPECT_EQ(tracee_.Hear(100), "");
  const utrace_notice exit = Held(UTRACE_EVENT(SYSCALL_EXIT));
  EXPECT_EQ(exit.result, 20);
  EXPECT_EQ(device_.Resume(exit), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_P(Compat, AreSkipped) {
  Attach(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(Held(UTRACE_EVENT(SYSCALL_ENTRY)));
  answer.action |= UTRACE_SYSCALL_ABORT;
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = 42;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), "42");
}

TEST_P(Compat, AreChanged) {
  Attach(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(entry);
  answer.flags = UTRACE_ANSWER_SET_CALL;
  answer.nr = kGetppid32;
  // They are its registers, which it expects to find as they were.
  std::copy(std::begin(entry.args), std::end(entry.args), answer.args);
  EXPECT_EQ(device_.Answer(answer), 0);
  char parent[8];
  std::snprintf(parent, sizeof parent, "%02d", getpid() % 100);
  EXPECT_EQ(tracee_.Hear(), parent);
}

TEST_P(Compat, HaveAnotherResult) {
  Attach(UTRACE_EVENT(SYSCALL_EXIT));
  utrace_answer answer = AnswerTo(Held(UTRACE_EVENT(SYSCALL_EXIT)));
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = 43;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), "43");
}

// Most kernels have no such calls, and say so themselves; nobody gets past a set of calls by them.
TEST(X32, ACallIsTheOneOfItsNumber) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  ASSERT_GT(device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority}), 0);
  tracee.Tell("call " + std::to_string(kX32 | SYS_getpriority));
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.nr, kX32 | SYS_getpriority) << ToString(notice);
  EXPECT_EQ(device.Resume(notice), 0);
  const long untraced = syscall(kX32 | SYS_getpriority, 0, 0) == -1 ? -errno : 20;
  EXPECT_EQ(tracee.Hear(), std::to_string(untraced));
}

}  // namespace
}  // namespace utrace::test
