// SPDX-License-Identifier: Apache-2.0
// Steps beside others who use the trap flag, or see it: debuggers and uprobes.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/debugger.h"
#include "tests/integration/step_stop.h"
#include "tests/integration/tracefs.h"

namespace utrace::test {
namespace {

class StepDebugger : public StepStop {
 protected:
  // This test.
  Debugger debugger_{tracee_.pid()};

  // Held at the mark, seized and told to stop: there it is when we have answered.
  void StopAtMark(uint32_t action) {
    const utrace_notice mark = AtMark("walk");
    debugger_.Seize();
    debugger_.Interrupt();
    ASSERT_EQ(device_.Next().type, UTRACE_NOTICE_AWAITED);
    ASSERT_EQ(device_.Answer(Step(mark, action)), 0);
    ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
    EXPECT_EQ(debugger_.Sees().rip, places_[0]);
    EXPECT_EQ(debugger_.Sees().eflags & kTrapFlag, 0u);
  }
};

TEST_F(StepDebugger, SeesNothingOfOurs) {
  debugger_.Seize();
  const utrace_notice notice = Steps(AtMark("walk"), 9);
  EXPECT_EQ(notice.ip, places_[9]);
  EXPECT_EQ(Goes(notice), "0 0");
  EXPECT_EQ(debugger_.Stop(200), 0);
}

// What it does when it lets a thread go on ends its own step, not ours.
TEST_F(StepDebugger, ContinuesAndOursIsMade) {
  StopAtMark(UTRACE_SINGLESTEP);
  ASSERT_EQ(debugger_.Go(PTRACE_CONT), 0);
  const utrace_notice notice = Held(kStep);
  EXPECT_EQ(notice.ip, places_[1]);
  EXPECT_EQ(Goes(notice), "0 0");
  EXPECT_EQ(debugger_.Stop(200), 0);
}

TEST_F(StepDebugger, StepsTooAndBothAreTold) {
  StopAtMark(UTRACE_SINGLESTEP);
  ASSERT_EQ(debugger_.Go(PTRACE_SINGLESTEP), 0);
  const utrace_notice notice = Held(kStep);
  EXPECT_EQ(notice.ip, places_[1]);
  // The debugger's turn comes when ours is over.
  EXPECT_EQ(debugger_.Stop(200), 0);
  EXPECT_EQ(device_.Resume(notice), 0);
  ASSERT_EQ(debugger_.Stop(), SIGTRAP);
  EXPECT_EQ(debugger_.Code(), TRAP_TRACE);
  EXPECT_EQ(debugger_.Sees().rip, places_[1]);
  EXPECT_EQ(debugger_.Sees().eflags & kTrapFlag, 0u);
  ASSERT_EQ(debugger_.Go(PTRACE_CONT), 0);
  EXPECT_EQ(tracee_.Hear(), "0 0");
  NothingToTell(device_);
}

TEST_F(StepDebugger, StepsAloneAsEver) {
  StopAtMark(UTRACE_RESUME);
  ASSERT_EQ(debugger_.Go(PTRACE_SINGLESTEP), 0);
  ASSERT_EQ(debugger_.Stop(), SIGTRAP);
  EXPECT_EQ(debugger_.Code(), TRAP_TRACE);
  EXPECT_EQ(debugger_.Sees().rip, places_[1]);
  ASSERT_EQ(debugger_.Go(PTRACE_CONT), 0);
  EXPECT_EQ(tracee_.Hear(), "0 0");
  NothingToTell(device_);
}

class StepTracedCall : public StepDebugger {
 protected:
  // The debugger traces calls, and the thread is to step over one.
  void StepIntoCall() {
    StopAtMark(UTRACE_SINGLESTEP);
    ASSERT_EQ(ptrace(PTRACE_SETOPTIONS, tracee_.pid(), 0, PTRACE_O_TRACESYSGOOD), 0);
    ASSERT_EQ(debugger_.Go(PTRACE_SYSCALL), 0);
    ASSERT_EQ(device_.Answer(Step(Steps(Held(kStep), 5))), 0);
    StoppedAtCall();
    ASSERT_EQ(debugger_.Go(PTRACE_SYSCALL), 0);
  }
  void StoppedAtCall() {
    ASSERT_EQ(debugger_.Stop(), SIGTRAP | 0x80);
    EXPECT_EQ(debugger_.Sees().rip, places_[7]);
    EXPECT_EQ(debugger_.Sees().eflags & kTrapFlag, 0u);
  }
};

TEST_F(StepTracedCall, TheDebuggerGetsBothStops) {
  StepIntoCall();
  const utrace_notice notice = Held(kStep);
  EXPECT_EQ(notice.ip, places_[7]);
  ASSERT_EQ(device_.Resume(notice), 0);
  StoppedAtCall();
  ASSERT_EQ(debugger_.Go(PTRACE_CONT), 0);
  EXPECT_EQ(tracee_.Hear(), "0 0");
}

// We step on before the debugger's second stop, in which the thread is next.
TEST_F(StepTracedCall, WhatTheDebuggerContinuesWithEndsNoneOfOurs) {
  StepIntoCall();
  ASSERT_EQ(device_.Answer(Step(Held(kStep))), 0);
  StoppedAtCall();
  ASSERT_EQ(debugger_.Go(PTRACE_CONT), 0);
  const utrace_notice notice = Held(kStep);
  EXPECT_EQ(notice.ip, places_[8]);
  EXPECT_EQ(Goes(notice), "0 0");
}

TEST_F(StepTracedCall, TheDebuggerGoesOnByAStepToo) {
  StepIntoCall();
  ASSERT_EQ(device_.Answer(Step(Held(kStep))), 0);
  StoppedAtCall();
  ASSERT_EQ(debugger_.Go(PTRACE_SINGLESTEP), 0);
  const utrace_notice notice = Held(kStep);
  EXPECT_EQ(notice.ip, places_[8]);
  EXPECT_EQ(device_.Resume(notice), 0);
  ASSERT_EQ(debugger_.Stop(), SIGTRAP);
  EXPECT_EQ(debugger_.Code(), TRAP_TRACE);
  EXPECT_EQ(debugger_.Sees().rip, places_[8]);
  ASSERT_EQ(debugger_.Go(PTRACE_CONT), 0);
  EXPECT_EQ(tracee_.Hear(), "0 0");
}

// ---- uprobes ----

class StepProbe : public StepStop {
 protected:
  void TearDown() override {
    static_cast<void>(WriteTracing("events/uprobes/walk/enable", "0", O_TRUNC));
    static_cast<void>(WriteTracing("uprobe_events", "-:uprobes/walk", O_APPEND));
  }
  // On the instruction at a place, for whoever runs the program.
  void Probe(unsigned place) {
    std::ifstream maps("/proc/" + std::to_string(tracee_.pid()) + "/maps");
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t offset = 0;
    for (std::string line; std::getline(maps, line);) {
      std::istringstream words(line);
      char dash = 0;
      std::string rights;
      words >> std::hex >> begin >> dash >> end >> rights >> offset;
      if (begin <= places_[place] && places_[place] < end) break;
    }
    ASSERT_LT(places_[place], end);
    std::ostringstream text;
    text << "p:uprobes/walk " << TraceePath("walker") << ":0x" << std::hex
         << places_[place] - begin + offset;
    ASSERT_EQ(WriteTracing("uprobe_events", text.str(), O_APPEND), 0) << text.str();
    ASSERT_EQ(WriteTracing("events/uprobes/walk/enable", "1", O_TRUNC), 0);
  }
};

// Stepped out of its line: a call's flags to a register.
TEST_F(StepProbe, AProbedInstructionIsOneStep) {
  utrace_notice notice = AtMark("walk");
  Probe(7);
  ASSERT_FALSE(HasFatalFailure());
  for (unsigned place = 1; place < places_.size(); ++place) {
    notice = Steps(notice, 1);
    ASSERT_EQ(notice.ip, places_[place]) << place;
  }
  EXPECT_EQ(Goes(notice), "0 0");
}

}  // namespace
}  // namespace utrace::test
