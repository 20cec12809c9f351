// SPDX-License-Identifier: Apache-2.0
// A debugger that is to stop a thread which is held: it waits, and the holder is told so; or it
// gets the thread just where that is, if the holder wants it so.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/debugger.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

constexpr uint32_t kEntry = UTRACE_EVENT(SYSCALL_ENTRY);
constexpr uint32_t kExit = UTRACE_EVENT(SYSCALL_EXIT);

class Handover : public testing::Test {
 protected:
  void Arm(Device& device, uint32_t events, uint32_t flags = UTRACE_TARGET_HANDOVER) {
    ASSERT_GT(device.AttachForCalls(tracee_.pid(), events, {SYS_getpriority}, flags), 0);
  }
  void Trigger() { tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0"); }
  utrace_notice Held(Device& device, uint32_t event) {
    const utrace_notice notice = device.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, event) << ToString(notice);
    EXPECT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 't'; }));
    return notice;
  }
  static void HandedOver(Device& device) {
    const utrace_notice notice = device.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_RELEASED) << ToString(notice);
    EXPECT_EQ(notice.reason, UTRACE_RELEASED_HANDED_OVER);
    EXPECT_EQ(notice.seq, 0u);
  }
  static void NothingToTell(Device& device) {
    const utrace_notice notice = device.Next(200);
    EXPECT_EQ(notice.type, 0u) << ToString(notice);
  }
  void Interrupt() {
    debugger_.Seize();
    debugger_.Interrupt();
  }
  Tracee tracee_{{"actor"}};
  // This test.
  Debugger debugger_{tracee_.pid()};
  Device device_ = Device::Open();
};

TEST_F(Handover, SmokeAtACallsEntryTheCallIsNotRun) {
  Arm(device_, kEntry);
  Trigger();
  const utrace_notice notice = Held(device_, kEntry);
  Interrupt();
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  HandedOver(device_);
  EXPECT_EQ(debugger_.Sees().rip, notice.ip);
  EXPECT_EQ(debugger_.Sees().orig_rax, static_cast<uint64_t>(SYS_getpriority));
  EXPECT_EQ(tracee_.Hear(100), "");
  NothingToTell(device_);
  // It begins anew, and is told anew.
  ASSERT_EQ(debugger_.Go(), 0);
  const utrace_notice again = Held(device_, kEntry);
  EXPECT_EQ(again.ip, notice.ip);
  EXPECT_EQ(device_.Resume(again), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Handover, AnAttachThatIsNoSeizeToo) {
  Arm(device_, kEntry);
  Trigger();
  const utrace_notice notice = Held(device_, kEntry);
  ASSERT_EQ(ptrace(PTRACE_ATTACH, tracee_.pid(), 0, 0), 0);
  ASSERT_EQ(debugger_.Stop(), SIGSTOP);
  HandedOver(device_);
  EXPECT_EQ(debugger_.Sees().rip, notice.ip);
  device_.Close();
  ASSERT_EQ(debugger_.Go(PTRACE_DETACH), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Handover, AtACallsEndItHasItsResult) {
  Arm(device_, kExit);
  Trigger();
  const utrace_notice notice = Held(device_, kExit);
  Interrupt();
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  HandedOver(device_);
  EXPECT_EQ(debugger_.Sees().rip, notice.ip);
  EXPECT_EQ(debugger_.Sees().rax, 20u);
  ASSERT_EQ(debugger_.Go(), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
  NothingToTell(device_);
}

TEST_F(Handover, AnExecIsAtItsFirstInstruction) {
  Arm(device_, UTRACE_EVENT(EXEC));
  tracee_.Tell("exec");
  Held(device_, UTRACE_EVENT(EXEC));
  Interrupt();
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  HandedOver(device_);
  EXPECT_EQ(tracee_.Hear(100), "");
  ASSERT_EQ(debugger_.Go(), 0);
  EXPECT_EQ(tracee_.Hear(), "ready");
}

// As if nobody else had been told of it; and any stop is the one that was asked for.
TEST_F(Handover, ASignalIsTheDebuggers) {
  Arm(device_, UTRACE_EVENT(SIGNAL_TERM));
  tracee_.Kill(SIGUSR1);
  Held(device_, UTRACE_EVENT(SIGNAL_TERM));
  Interrupt();
  ASSERT_EQ(debugger_.Stop(), SIGUSR1);
  HandedOver(device_);
  ASSERT_EQ(debugger_.Go(), 0);
  EXPECT_EQ(tracee_.Ask("call " + std::to_string(SYS_getpid)), std::to_string(tracee_.pid()));
}

TEST_F(Handover, AStoppedThread) {
  const int64_t engine = device_.Attach(tracee_.pid(), kEntry | kExit, UTRACE_TARGET_HANDOVER);
  ASSERT_GT(engine, 0);
  ASSERT_EQ(device_.SetCalls(static_cast<uint64_t>(engine), {SYS_getpriority}), 0);
  Trigger();
  const utrace_notice notice = Held(device_, kEntry);
  ASSERT_TRUE(StopAccepted(device_.Control(notice.engine, tracee_.pid(), UTRACE_STOP)));
  Interrupt();
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  HandedOver(device_);
  // Both holds are the debugger's.
  for (const utrace_info& info : device_.List(tracee_.pid())) EXPECT_EQ(info.seq, 0u);
}

TEST_F(Handover, WithoutItTheDebuggerWaitsAndTheHolderIsTold) {
  Arm(device_, kEntry, 0);
  Trigger();
  const utrace_notice notice = Held(device_, kEntry);
  for (const utrace_info& info : device_.List(tracee_.pid())) EXPECT_EQ(info.debugger, 0);
  Interrupt();
  const utrace_notice awaited = device_.Next();
  EXPECT_EQ(awaited.type, UTRACE_NOTICE_AWAITED) << ToString(awaited);
  EXPECT_EQ(awaited.result, getpid());
  EXPECT_EQ(debugger_.Stop(200), 0);
  const std::vector<utrace_info> infos = device_.List(tracee_.pid());
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].debugger, getpid());
  EXPECT_EQ(infos[0].seq, notice.seq);
  EXPECT_EQ(device_.Resume(notice), 0);
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  ASSERT_EQ(debugger_.Go(), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Handover, OfEachHoldThatADebuggerWaitsForItsOwnerIsTold) {
  Arm(device_, kEntry, 0);
  debugger_.Seize();
  for (int round = 0; round < 3; ++round) {
    Trigger();
    const utrace_notice notice = Held(device_, kEntry);
    debugger_.Interrupt();
    const utrace_notice awaited = device_.Next();
    EXPECT_EQ(awaited.type, UTRACE_NOTICE_AWAITED) << ToString(awaited);
    EXPECT_EQ(device_.Resume(notice), 0);
    ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
    ASSERT_EQ(debugger_.Go(), 0);
    EXPECT_EQ(tracee_.Hear(), "20");
  }
}

// To be told again was about the call that is begun anew.
TEST_F(Handover, WhatWasAskedAboutTheCallGoesWithIt) {
  Arm(device_, kEntry);
  Trigger();
  const utrace_notice notice = Held(device_, kEntry);
  ASSERT_EQ(device_.Control(notice.engine, tracee_.pid(), UTRACE_REPORT), 0);
  Interrupt();
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  HandedOver(device_);
  ASSERT_EQ(debugger_.Go(), 0);
  const utrace_notice anew = Held(device_, kEntry);
  EXPECT_EQ(anew.flags & UTRACE_NOTICE_RESUMED, 0u);
  EXPECT_EQ(device_.Resume(anew), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
  NothingToTell(device_);
}

TEST_F(Handover, WhoeverElseHoldsItKeepsIt) {
  Device other = Device::Open();
  Arm(device_, kEntry);
  Arm(other, kEntry, 0);
  Trigger();
  Held(device_, kEntry);
  const utrace_notice others = Held(other, kEntry);
  Interrupt();
  HandedOver(device_);
  EXPECT_EQ(other.Next().type, UTRACE_NOTICE_AWAITED);
  EXPECT_EQ(debugger_.Stop(200), 0);
  EXPECT_EQ(other.Resume(others), 0);
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  EXPECT_EQ(debugger_.Sees().rip, others.ip);
  EXPECT_EQ(tracee_.Hear(100), "");
}

// No stop would follow.
TEST_F(Handover, AtItsExitItStaysHeld) {
  Arm(device_, UTRACE_EVENT(EXIT));
  tracee_.Tell("exit 3");
  const utrace_notice notice = Held(device_, UTRACE_EVENT(EXIT));
  Interrupt();
  NothingToTell(device_);
  EXPECT_EQ(StateOf(tracee_.pid()), 't');
  EXPECT_EQ(device_.Resume(notice), 0);
}

// A debugger that is on it already, and asks for no stop, waits for nothing.
TEST_F(Handover, WhoOnlyWatchesGetsNothing) {
  Arm(device_, kEntry);
  debugger_.Seize();
  Trigger();
  const utrace_notice notice = Held(device_, kEntry);
  NothingToTell(device_);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Handover, ADebuggerThatGoesLeavesItWhole) {
  Arm(device_, kEntry);
  Trigger();
  Held(device_, kEntry);
  {
    Fork debugger([pid = tracee_.pid()] {
      ptrace(PTRACE_SEIZE, pid, 0, 0);
      ptrace(PTRACE_INTERRUPT, pid, 0, 0);
      pause();
      return 0;
    });
    HandedOver(device_);
    ASSERT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 't'; }));
  }
  EXPECT_EQ(device_.Resume(Held(device_, kEntry)), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Handover, AnObserverHasNothingToHandOver) {
  EXPECT_EQ(device_.Attach(tracee_.pid(), kEntry, UTRACE_TARGET_TRACE | UTRACE_TARGET_HANDOVER),
            -EINVAL);
}

}  // namespace
}  // namespace utrace::test
