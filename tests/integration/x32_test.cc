// SPDX-License-Identifier: Apache-2.0
// An x32 program, on a kernel that runs one: its pointers are of 32 bits, its registers and its
// table of calls those of 64.
#include <sys/syscall.h>

#include "gtest/gtest.h"
#include "tests/integration/priority_caller.h"

namespace utrace::test {
namespace {

constexpr int kX32 = 0x40000000;

class X32Program : public PriorityCaller {
 protected:
  X32Program() : PriorityCaller({"actor"}, kX32 | SYS_getpriority, SYS_getpriority, 0) {}

  // It becomes one by an exec, under an engine.
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

TEST_F(X32Program, IsToldByItsNumbers) { IsTold("c"); }
TEST_F(X32Program, ItsCallIsSkipped) { IsSkipped("c"); }

// From one table to the other: the bit is the number's, not the program's.
TEST_F(X32Program, ItsCallIsChanged) {
  for (const int table : {0, kX32}) {
    IsChanged("c", table | SYS_getppid);
    EXPECT_EQ(device_.Control(engine_, tracee_.pid(), UTRACE_DETACH), 0);
  }
}

TEST_F(X32Program, ItsCallIsOneStep) {
  Attach(UTRACE_EVENT(SYSCALL_ENTRY) | UTRACE_EVENT(STEP), "c");
  const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(entry);
  answer.action = UTRACE_SINGLESTEP;
  EXPECT_EQ(device_.Answer(answer), 0);
  const utrace_notice step = device_.Next();
  EXPECT_EQ(step.event, UTRACE_EVENT(STEP)) << ToString(step);
  EXPECT_EQ(step.ip, entry.ip);
  EXPECT_EQ(device_.Resume(step), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

}  // namespace
}  // namespace utrace::test
