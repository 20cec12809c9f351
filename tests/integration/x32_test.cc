// SPDX-License-Identifier: Apache-2.0
// An x32 program, on a kernel that runs one: its pointers are of 32 bits, its registers and its
// table of calls those of 64.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

constexpr int kX32 = 0x40000000;

class X32Program : public testing::Test {
 protected:
  void Attach(uint32_t events) {
    engine_ = device_.AttachForCalls(tracee_.pid(), events, {SYS_getpriority});
    ASSERT_GT(engine_, 0);
    tracee_.Tell("c");
  }
  utrace_notice Held(uint32_t event) {
    const utrace_notice notice = device_.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, event);
    EXPECT_EQ(notice.flags & UTRACE_NOTICE_COMPAT, 0u);
    return notice;
  }

  // It becomes one by an exec, under an engine.
  Tracee tracee_{{"actor"}};
  Device device_ = Device::Open();
  int64_t engine_ = 0;

  void SetUp() override {
    Device other = Device::Open();
    ASSERT_GT(other.Attach(tracee_.pid(), UTRACE_EVENT(EXEC)), 0);
    tracee_.Tell("exec " + TraceePath("callsx32"));
    const utrace_notice exec = other.Next();
    ASSERT_EQ(exec.event, UTRACE_EVENT(EXEC)) << ToString(exec);
    ASSERT_EQ(other.Resume(exec), 0);
    ASSERT_EQ(tracee_.Hear(), "ready");
  }
};

TEST_F(X32Program, IsToldByItsNumbers) {
  Attach(UTRACE_EVENT_SYSCALL);
  const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY));
  EXPECT_EQ(entry.nr, kX32 | SYS_getpriority);
  EXPECT_EQ(device_.Resume(entry), 0);
  EXPECT_EQ(tracee_.Hear(100), "");
  const utrace_notice exit = Held(UTRACE_EVENT(SYSCALL_EXIT));
  EXPECT_EQ(exit.nr, kX32 | SYS_getpriority);
  EXPECT_EQ(exit.result, 20);
  EXPECT_EQ(device_.Resume(exit), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(X32Program, ItsCallIsSkipped) {
  Attach(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(Held(UTRACE_EVENT(SYSCALL_ENTRY)));
  answer.action |= UTRACE_SYSCALL_ABORT;
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = 42;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), "42");
}

// From one table to the other: the bit is the number's, not the program's.
TEST_F(X32Program, ItsCallIsChanged) {
  for (const int table : {0, kX32}) {
    const int64_t engine =
        device_.AttachForCalls(tracee_.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority});
    ASSERT_GT(engine, 0);
    tracee_.Tell("c");
    const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY));
    utrace_answer answer = AnswerTo(entry);
    answer.flags = UTRACE_ANSWER_SET_CALL;
    answer.nr = table | SYS_getppid;
    std::copy(std::begin(entry.args), std::end(entry.args), answer.args);
    EXPECT_EQ(device_.Answer(answer), 0);
    char parent[8];
    std::snprintf(parent, sizeof parent, "%02d", getpid() % 100);
    EXPECT_EQ(tracee_.Hear(), parent) << table;
    EXPECT_EQ(device_.Control(engine, tracee_.pid(), UTRACE_DETACH), 0);
  }
}

TEST_F(X32Program, ItsCallIsOneStep) {
  Attach(UTRACE_EVENT(SYSCALL_ENTRY) | UTRACE_EVENT(STEP));
  const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(entry);
  answer.action = UTRACE_SINGLESTEP;
  EXPECT_EQ(device_.Answer(answer), 0);
  const utrace_notice step = Held(UTRACE_EVENT(STEP));
  EXPECT_EQ(step.ip, entry.ip);
  EXPECT_EQ(device_.Resume(step), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

}  // namespace
}  // namespace utrace::test
