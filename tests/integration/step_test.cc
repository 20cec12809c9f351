// SPDX-License-Identifier: Apache-2.0
// Steps: by one instruction, by one call, into a handler; and nobody else sees anything of them.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/step_stop.h"

namespace utrace::test {
namespace {

TEST_F(StepStop, SmokeEachInstructionInTurn) {
  utrace_notice notice = AtMark("walk");
  ASSERT_EQ(notice.ip, places_[0]);
  for (unsigned place = 1; place < places_.size(); ++place) {
    notice = Steps(notice, 1);
    ASSERT_EQ(notice.ip, places_[place]) << place;
    EXPECT_EQ(Flags() & kTrapFlag, 0u) << place;
    EXPECT_EQ(notice.nr, place == 7 ? SYS_getpid : -1) << place;
  }
  // Neither in the flags that it pushed nor in those that its call left behind.
  EXPECT_EQ(Goes(notice), "0 0");
}

TEST_F(StepStop, ACallIsSteppedOverFromItsEntry) {
  ASSERT_EQ(device_.SetCalls(engine_, {SYS_getpid}), 0);
  ASSERT_EQ(device_.SetEvents(engine_, 0, UTRACE_EVENT(SYSCALL_ENTRY) | kStep), 0);
  tracee_.Tell("walk");
  const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Steps(entry, 1);
  EXPECT_EQ(notice.ip, places_[7]);
  EXPECT_EQ(Goes(notice), "0 0");
}

TEST_F(StepStop, ItsExitIsToldFirst) {
  const utrace_notice at = Steps(AtMark("walk"), 6);
  ASSERT_EQ(at.ip, places_[6]);
  ASSERT_EQ(device_.SetCalls(engine_, {SYS_getpid}), 0);
  ASSERT_EQ(device_.Answer(Step(at)), 0);
  const utrace_notice exit = Held(kExit);
  EXPECT_EQ(exit.result, tracee_.pid());
  EXPECT_EQ(device_.Resume(exit), 0);
  const utrace_notice step = Held(kStep);
  EXPECT_EQ(step.ip, places_[7]);
  EXPECT_EQ(Goes(step), "0 0");
}

TEST_F(StepStop, OnlyWhoStepsIsTold) {
  Device other = Device::Open();
  ASSERT_GT(other.Attach(tracee_.pid(), kStep), 0);
  const utrace_notice notice = Steps(AtMark("walk"), 3);
  NothingToTell(other);
  EXPECT_EQ(Goes(notice), "0 0");
}

TEST_F(StepStop, TwoWhoStepAreBothTold) {
  Device other = Device::Open();
  ASSERT_GT(other.AttachForCalls(tracee_.pid(), kExit | kStep, {SYS_getppid}), 0);
  utrace_notice mine = AtMark("walk");
  utrace_notice others = Held(other, kExit);
  for (unsigned place = 1; place < 5; ++place) {
    ASSERT_EQ(device_.Answer(Step(mine)), 0);
    ASSERT_EQ(other.Answer(Step(others)), 0);
    mine = Held(kStep);
    others = Held(other, kStep);
    ASSERT_EQ(mine.ip, places_[place]);
    ASSERT_EQ(others.ip, places_[place]);
  }
  EXPECT_EQ(other.Resume(others), 0);
  EXPECT_EQ(Goes(mine), "0 0");
}

// The one waits for the other, and is told of no more than one step.
TEST_F(StepStop, WhoOnlyHoldsLetsItStepLater) {
  Device other = Device::Open();
  ASSERT_GT(other.AttachForCalls(tracee_.pid(), kExit | kStep, {SYS_getppid}), 0);
  const utrace_notice mine = AtMark("walk");
  const utrace_notice others = Held(other, kExit);
  ASSERT_EQ(device_.Answer(Step(mine)), 0);
  NothingToTell(device_);
  EXPECT_EQ(other.Resume(others), 0);
  const utrace_notice step = Held(kStep);
  EXPECT_EQ(step.ip, places_[1]);
  EXPECT_EQ(Goes(step), "0 0");
  NothingToTell(other);
}

TEST_F(StepStop, TheLastAnswerCounts) {
  utrace_notice notice = AtMark("walk");
  ASSERT_EQ(device_.SetEvents(engine_, 0, kStep | UTRACE_EVENT(SYSCALL_ENTRY)), 0);
  ASSERT_EQ(device_.SetCalls(engine_, {SYS_getpid}), 0);
  notice = Steps(notice, 6);
  ASSERT_EQ(device_.Answer(Step(notice)), 0);
  EXPECT_EQ(Goes(Held(UTRACE_EVENT(SYSCALL_ENTRY))), "0 0");
  NothingToTell(device_);
}

TEST_F(StepStop, AnAnswerThatIsRepeatedIsNoSecondStep) {
  const utrace_notice mark = AtMark("walk");
  EXPECT_EQ(Goes(Steps(mark, 1)), "0 0");
  EXPECT_EQ(device_.Answer(Step(mark)), 0);
  EXPECT_EQ(tracee_.Ask("flags"), "0 0");
  NothingToTell(device_);
}

TEST_F(StepStop, WhoDoesNotAskForTheEventMayNot) {
  const utrace_notice notice = AtMark("walk");
  ASSERT_EQ(device_.SetEvents(engine_, 0, kExit), 0);
  EXPECT_EQ(device_.Answer(Step(notice)), -EINVAL);
  EXPECT_EQ(device_.Answer(Step(notice, UTRACE_BLOCKSTEP)), -EINVAL);
  EXPECT_EQ(Goes(notice), "0 0");
}

TEST_F(StepStop, AStoppedThreadSteps) {
  const utrace_notice mark = AtMark("walk");
  uint64_t seq = 0;
  ASSERT_TRUE(StopAccepted(device_.Control(engine_, tracee_.pid(), UTRACE_STOP, &seq)));
  ASSERT_EQ(device_.Resume(mark), 0);
  const utrace_notice stopped = device_.Next();
  ASSERT_EQ(stopped.type, UTRACE_NOTICE_STOPPED) << ToString(stopped);
  ASSERT_EQ(stopped.ip, places_[0]);
  const utrace_notice step = Steps(stopped, 1);
  EXPECT_EQ(step.ip, places_[1]);
  EXPECT_EQ(Goes(step), "0 0");
}

// At least one instruction further on; and on a machine that can, behind a branch.
TEST_F(StepStop, BlockStepGoesForward) {
  utrace_notice notice = AtMark("walk");
  ASSERT_EQ(device_.Answer(Step(notice, UTRACE_BLOCKSTEP)), 0);
  notice = Held(kStep);
  EXPECT_NE(notice.ip, places_[0]);
  EXPECT_EQ(Goes(notice), "0 0");
}

// One that wants less than the other.
TEST_F(StepStop, ABlockStepBecomesASingleOne) {
  Device other = Device::Open();
  ASSERT_GT(other.AttachForCalls(tracee_.pid(), kExit | kStep, {SYS_getppid}), 0);
  const utrace_notice mine = AtMark("walk");
  const utrace_notice others = Held(other, kExit);
  ASSERT_EQ(other.Answer(Step(others, UTRACE_BLOCKSTEP)), 0);
  ASSERT_EQ(device_.Answer(Step(mine)), 0);
  const utrace_notice first = Held(kStep);
  const utrace_notice second = Held(other, kStep);
  EXPECT_EQ(first.ip, places_[1]);
  EXPECT_EQ(second.ip, places_[1]);
  EXPECT_EQ(other.Resume(second), 0);
  EXPECT_EQ(Goes(first), "0 0");
}

// ---- the program and its signals ----

class StepSignal : public StepStop, public testing::WithParamInterface<const char*> {};

// A trap that the kernel forces would make the default of it.
TEST_P(StepSignal, ItsSigtrapStaysAsItWas) {
  const std::string trap = " " + std::to_string(SIGTRAP);
  if (*GetParam() != '\0') {
    ASSERT_NE(tracee_.Ask(GetParam() + trap), "");
  }
  const std::string before = tracee_.Ask("ways" + trap);
  EXPECT_EQ(Goes(Steps(AtMark("walk"), 9)), "0 0");
  EXPECT_EQ(tracee_.Ask("ways" + trap), before);
  EXPECT_EQ(tracee_.Ask("flags"), "0 0");
}

INSTANTIATE_TEST_SUITE_P(Ways, StepSignal, testing::Values("", "handle", "ignore", "block"));

TEST_F(StepStop, IntoAHandler) {
  const uint64_t handler =
      std::stoull(tracee_.Ask("handle " + std::to_string(SIGUSR1)), nullptr, 16);
  utrace_notice notice = Steps(AtMark("walk"), 2);
  tracee_.Kill(SIGUSR1);
  notice = Steps(notice, 1);
  EXPECT_EQ(notice.ip, handler);
  EXPECT_EQ(Goes(notice), "0 0");
  // Its frame was clean.
  EXPECT_EQ(tracee_.Ask("flags"), "0 1");
}

TEST_F(StepStop, OutOfAHandler) {
  tracee_.Ask("handle " + std::to_string(SIGUSR1));
  utrace_notice notice = Steps(AtMark("walk"), 2);
  tracee_.Kill(SIGUSR1);
  notice = Steps(notice, 1);
  for (int step = 0; step < 1000 && notice.ip != places_[2] && !HasFailure(); ++step)
    notice = Steps(notice, 1);
  EXPECT_EQ(notice.ip, places_[2]);
  EXPECT_EQ(Steps(notice, 1).ip, places_[3]);
}

TEST_F(StepStop, AnIgnoredSignalIsNoStep) {
  ASSERT_EQ(tracee_.Ask("ignore " + std::to_string(SIGUSR1)), "0");
  utrace_notice notice = Steps(AtMark("walk"), 2);
  tracee_.Kill(SIGUSR1);
  notice = Steps(notice, 1);
  EXPECT_EQ(notice.ip, places_[3]);
  EXPECT_EQ(Goes(notice), "0 0");
}

// Its signals come first, and then there is no more of them.
TEST_F(StepStop, AfterAStopOfItsGroup) {
  utrace_notice notice = Steps(AtMark("walk"), 2);
  tracee_.Kill(SIGSTOP);
  ASSERT_TRUE(
      Eventually([&] { return StateOf(tracee_.pid()) == 'T' || StateOf(tracee_.pid()) == 't'; }));
  ASSERT_EQ(device_.Answer(Step(notice)), 0);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 'T'; }));
  NothingToTell(device_);
  tracee_.Kill(SIGCONT);
  notice = Held(kStep);
  EXPECT_EQ(notice.ip, places_[3]);
  EXPECT_EQ(Goes(notice), "0 0");
}

// Nothing of the step is in a thread that sleeps there.
TEST_F(StepStop, AStopOfItsGroupKeepsNothing) {
  const utrace_notice notice = Steps(AtMark("walk"), 2);
  tracee_.Kill(SIGSTOP);
  ASSERT_EQ(device_.Answer(Step(notice)), 0);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 'T'; }));
  device_.Close();
  EXPECT_TRUE(HooksGone());
  tracee_.Kill(SIGCONT);
  EXPECT_EQ(tracee_.Hear(), "0 0");
}

// It steps itself: its own traps come as ever, and we are told as well.
TEST_F(StepStop, ItsOwnTrapsStay) {
  tracee_.Ask("handle " + std::to_string(SIGTRAP));
  const std::string alone = [&] {
    Tracee other{{"walker"}};
    other.Ask("handle " + std::to_string(SIGTRAP));
    return other.Ask("fast");
  }();
  ASSERT_GT(std::stoi(alone), 2);
  utrace_notice notice = AtMark("fast");
  for (int step = 0; step < 120 && !HasFailure(); ++step) notice = Steps(notice, 1);
  EXPECT_EQ(Goes(notice), alone);
}

// ---- calls that it steps over ----

TEST_F(StepStop, AChildHasNothingOfIt) {
  utrace_notice notice = AtMark("child");
  for (int step = 0; step < 200 && notice.nr != SYS_fork && !HasFailure(); ++step)
    notice = Steps(notice, 1);
  ASSERT_EQ(notice.nr, SYS_fork);
  EXPECT_EQ(Goes(notice), std::to_string(7 << 8));
}

TEST_F(StepStop, ANewImageIsHeldAtItsFirstInstruction) {
  utrace_notice notice = AtMark("exec");
  for (int step = 0; step < 20'000 && notice.nr != SYS_execve && !HasFailure(); ++step)
    notice = Steps(notice, 1);
  ASSERT_EQ(notice.nr, SYS_execve);
  EXPECT_EQ(Flags() & kTrapFlag, 0u);
  notice = Steps(notice, 1);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "ready");
}

class StepOverRead : public StepStop {
 protected:
  // Until it is blocked in it.
  void StepInto() {
    utrace_notice notice = AtMark("read");
    ASSERT_EQ(device_.SetCalls(engine_, {SYS_read}), 0);
    ASSERT_EQ(device_.SetEvents(engine_, 0, UTRACE_EVENT(SYSCALL_ENTRY) | kStep), 0);
    for (int step = 0; step < 200 && notice.event != UTRACE_EVENT(SYSCALL_ENTRY); ++step) {
      ASSERT_EQ(device_.Answer(Step(notice)), 0);
      notice = device_.Next();
    }
    ASSERT_EQ(notice.event, UTRACE_EVENT(SYSCALL_ENTRY)) << ToString(notice);
    ASSERT_EQ(device_.Answer(Step(notice)), 0);
    ASSERT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 'S'; }));
  }
};

TEST_F(StepOverRead, ItIsToldAtItsEnd) {
  StepInto();
  NothingToTell(device_);
  tracee_.Tell("");
  const utrace_notice notice = Held(kStep);
  EXPECT_EQ(notice.nr, SYS_read);
  EXPECT_EQ(Goes(notice), "1");
}

TEST_F(StepOverRead, NothingIsLeftOfItWhenTheOwnerGoesMeanwhile) {
  StepInto();
  device_.Close();
  EXPECT_TRUE(HooksGone());
  tracee_.Tell("");
  EXPECT_EQ(tracee_.Hear(), "1");
}

// ---- the end of who steps ----

TEST_F(StepStop, TheOwnersEndLeavesNoTrap) {
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    Device device = Device::Open();
    ASSERT_GT(device.AttachForCalls(tracee_.pid(), kExit | kStep, {SYS_getppid}), 0);
    tracee_.Tell("walk");
    EXPECT_EQ(device_.Resume(Held(kExit)), 0);
    utrace_notice notice = Held(device, kExit);
    for (int step = 0; step < round % 5; ++step) {
      ASSERT_EQ(device.Answer(Step(notice)), 0);
      notice = Held(device, kStep);
    }
    ASSERT_EQ(device.Answer(Step(notice)), 0);
    device.Close();
    EXPECT_EQ(tracee_.Hear(), "0 0");
  }
}

TEST_F(StepStop, SigkillEndsTheHold) {
  Steps(AtMark("walk"), 2);
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
}

}  // namespace
}  // namespace utrace::test
