// SPDX-License-Identifier: Apache-2.0
// A thread in KVM_RUN: a hold sits inside the call, and neither the machine nor its program sees
// that there was one.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

class Kvm : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(std::system("modprobe kvm_amd || modprobe kvm_intel"), 0);
  }
  void SetUp() override {
    ASSERT_FALSE(tracee_.ended());
    std::istringstream places(tracee_.Hear());
    places >> count_ >> returns_;
    ASSERT_NE(returns_, 0u);
    ASSERT_TRUE(Counts());
    engine_ = device_.Attach(pid_, UTRACE_EVENT(STEP) | UTRACE_EVENT(SIGNAL_TERM));
    ASSERT_GT(engine_, 0);
  }
  uint64_t Count() const { return WordOf(pid_, count_) & 0xffffffff; }
  bool Counts() const {
    const uint64_t before = Count();
    return Eventually([&] { return Count() != before; }, 2000);
  }
  uint64_t Returns() const { return WordOf(pid_, returns_); }
  utrace_notice Hold() {
    EXPECT_TRUE(StopAccepted(device_.Control(engine_, pid_, UTRACE_STOP)));
    const utrace_notice held = device_.Next();
    EXPECT_EQ(held.type, UTRACE_NOTICE_STOPPED) << ToString(held);
    return held;
  }

  Tracee tracee_{{"vcpu"}};
  const pid_t pid_ = tracee_.pid();
  Device device_ = Device::Open();
  int64_t engine_ = 0;
  uintptr_t count_ = 0;
  uintptr_t returns_ = 0;
};

TEST_F(Kvm, IsHeldInsideTheCall) {
  const utrace_notice held = Hold();
  EXPECT_EQ(held.nr, SYS_ioctl);
  EXPECT_EQ(held.flags, UTRACE_NOTICE_IN_SYSCALL);
  EXPECT_EQ(StateOf(pid_), 't');
  EXPECT_FALSE(Counts());
  // What would change the call, or what its end sets, is not to be written.
  user_regs_struct regs{};
  ASSERT_EQ(device_.Regs(engine_, pid_, &regs), 0);
  EXPECT_EQ(device_.Regs(engine_, pid_, &regs, UTRACE_EXAMINE_WRITE), 0);
  regs.orig_rax = SYS_getpid;
  EXPECT_EQ(device_.Regs(engine_, pid_, &regs, UTRACE_EXAMINE_WRITE), -EBUSY);
  EXPECT_EQ(device_.Resume(held), 0);
  EXPECT_TRUE(Counts());
  EXPECT_EQ(Returns(), 0u) << "the program saw that it was held";
}

TEST_F(Kvm, IsHeldAgainAndAgain) {
  for (int i = 0; i < 50; ++i) ASSERT_EQ(device_.Resume(Hold()), 0);
  EXPECT_TRUE(Counts());
  EXPECT_EQ(Returns(), 0u);
}

// A step is over when the call is, and not before.
TEST_F(Kvm, AStepIsTheWholeCall) {
  utrace_answer step = AnswerTo(Hold(), UTRACE_SINGLESTEP);
  ASSERT_EQ(device_.Answer(step), 0);
  EXPECT_TRUE(Counts());
  EXPECT_EQ(device_.Next(200).type, 0u);
  EXPECT_EQ(device_.Control(engine_, pid_, UTRACE_INTERRUPT), 0);
  const utrace_notice made = device_.Next();
  EXPECT_EQ(made.event, UTRACE_EVENT(STEP)) << ToString(made);
  EXPECT_EQ(Returns(), 0u);
  EXPECT_EQ(device_.Resume(made), 0);
  EXPECT_TRUE(Counts());
  EXPECT_EQ(Returns(), 1u);
}

TEST_F(Kvm, DiesHeld) {
  Hold();
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
}

TEST_F(Kvm, DiesByASignalThatIsHeldFirst) {
  tracee_.Kill(SIGTERM);
  const utrace_notice term = device_.Next();
  EXPECT_EQ(term.event, UTRACE_EVENT(SIGNAL_TERM)) << ToString(term);
  EXPECT_FALSE(Counts());
  EXPECT_EQ(device_.Resume(term), 0);
  EXPECT_EQ(tracee_.Wait(), SIGTERM);
}

TEST_F(Kvm, GoesOnWhenItsTracerIsGone) {
  Hold();
  device_.Close();
  EXPECT_TRUE(Counts());
  EXPECT_EQ(Returns(), 0u);
}

}  // namespace
}  // namespace utrace::test
