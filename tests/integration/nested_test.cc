// SPDX-License-Identifier: Apache-2.0
// Nested mode: an engine's hold is over before the next one is told, and that finds what this one
// has made of the call, the signal or the exit.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/debugger.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

constexpr uint32_t kEntry = UTRACE_EVENT(SYSCALL_ENTRY);
constexpr uint32_t kExit = UTRACE_EVENT(SYSCALL_EXIT);
constexpr uint32_t kNested = UTRACE_TARGET_NESTED;
constexpr uint32_t kSkip =
    static_cast<uint32_t>(UTRACE_RESUME) | static_cast<uint32_t>(UTRACE_SYSCALL_ABORT);

utrace_answer WithCall(const utrace_notice& notice, int nr, uint64_t argument,
                       uint32_t action = UTRACE_RESUME) {
  utrace_answer answer = AnswerTo(notice, action);
  answer.flags = UTRACE_ANSWER_SET_CALL;
  answer.nr = nr;
  answer.args[0] = argument;
  return answer;
}

utrace_answer WithResult(const utrace_notice& notice, int64_t result,
                         uint32_t action = UTRACE_RESUME) {
  utrace_answer answer = AnswerTo(notice, action);
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = result;
  return answer;
}

// The inner one is there first and so nearest to the kernel, the outer one nearest to the program.
class NestedPair : public testing::Test {
 protected:
  explicit NestedPair(const std::string& program) : tracee_({program}) {}

  static utrace_notice Held(Device& device, uint32_t event) {
    const utrace_notice notice = device.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, event) << ToString(notice);
    return notice;
  }
  // And the one whose turn is next knows nothing of it yet.
  static utrace_notice HeldFirst(Device& device, Device& next, uint32_t event) {
    const utrace_notice notice = Held(device, event);
    NothingToTell(next);
    return notice;
  }
  static void NothingToTell(Device& device) {
    const utrace_notice notice = device.Next(200);
    EXPECT_EQ(notice.type, 0u) << ToString(notice);
  }

  Tracee tracee_;
  Device inner_ = Device::Open();
  Device outer_ = Device::Open();
};

class Nested : public NestedPair {
 protected:
  Nested() : NestedPair("actor") {}

  void Arm(uint32_t events, uint32_t outer_flags = kNested) {
    ASSERT_GT(inner_.AttachForCalls(tracee_.pid(), events, {SYS_getpriority, SYS_close}), 0);
    ASSERT_GT(outer_.AttachForCalls(tracee_.pid(), events, {SYS_getpriority}, outer_flags), 0);
  }
  void Trigger() { tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0"); }
};

TEST_F(Nested, SmokeTheNextIsToldWhenTheHoldIsOver) {
  Arm(kEntry);
  Trigger();
  const utrace_notice outer = Held(outer_, kEntry);
  NothingToTell(inner_);
  EXPECT_EQ(outer_.Resume(outer), 0);
  const utrace_notice inner = Held(inner_, kEntry);
  EXPECT_EQ(inner.flags, 0u);
  NothingToTell(outer_);
  EXPECT_EQ(tracee_.Hear(100), "");
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Nested, WithoutItBothAreToldAtOnce) {
  Arm(kEntry, 0);
  Trigger();
  const utrace_notice outer = Held(outer_, kEntry);
  const utrace_notice inner = Held(inner_, kEntry);
  EXPECT_EQ(outer_.Resume(outer), 0);
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Nested, TheCallIsToldAsItIsByThen) {
  Arm(kEntry);
  Trigger();
  ASSERT_EQ(outer_.Answer(WithCall(HeldFirst(outer_, inner_, kEntry), SYS_close, 999)), 0);
  const utrace_notice inner = Held(inner_, kEntry);
  EXPECT_EQ(inner.nr, SYS_close);
  EXPECT_EQ(inner.args[0], 999u);
  ASSERT_EQ(inner_.Answer(WithCall(inner, SYS_getpid, 0)), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(tracee_.pid()));
}

// And the result the other way round.
TEST_F(Nested, TheResultToo) {
  Arm(kExit);
  Trigger();
  const utrace_notice inner = Held(inner_, kExit);
  EXPECT_EQ(inner.result, 20);
  NothingToTell(outer_);
  ASSERT_EQ(inner_.Answer(WithResult(inner, 21)), 0);
  const utrace_notice outer = Held(outer_, kExit);
  EXPECT_EQ(outer.result, 21);
  ASSERT_EQ(outer_.Answer(WithResult(outer, 22)), 0);
  EXPECT_EQ(tracee_.Hear(), "22");
}

TEST_F(Nested, ThatTheCallIsSkippedIsTold) {
  Arm(kEntry);
  Trigger();
  const utrace_notice outer = Held(outer_, kEntry);
  EXPECT_EQ(outer.flags, 0u);
  ASSERT_EQ(outer_.Answer(WithResult(outer, 4711, kSkip)), 0);
  const utrace_notice inner = Held(inner_, kEntry);
  EXPECT_EQ(inner.flags, UTRACE_NOTICE_DECIDED);
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(tracee_.Hear(), "4711");
}

TEST_F(Nested, TheOtherMaySkipItToo) {
  Arm(kEntry);
  Trigger();
  ASSERT_EQ(outer_.Answer(WithResult(HeldFirst(outer_, inner_, kEntry), 4711, kSkip)), 0);
  ASSERT_EQ(inner_.Answer(WithResult(Held(inner_, kEntry), 4712, kSkip)), 0);
  EXPECT_EQ(tracee_.Hear(), "4712");
}

// It has had its turn.
TEST_F(Nested, WhoHasLetGoHasNoMoreToSay) {
  Arm(kEntry);
  Trigger();
  const utrace_notice outer = HeldFirst(outer_, inner_, kEntry);
  EXPECT_EQ(outer_.Resume(outer), 0);
  const utrace_notice inner = Held(inner_, kEntry);
  EXPECT_EQ(outer_.Answer(WithResult(outer, 4711, kSkip)), -EINVAL);
  EXPECT_EQ(outer_.Answer(WithCall(outer, SYS_close, 999)), -EINVAL);
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Nested, ToldAgainItSeesWhatTheNextHasMadeOfIt) {
  Arm(kEntry);
  Trigger();
  ASSERT_EQ(outer_.Answer(AnswerTo(HeldFirst(outer_, inner_, kEntry), UTRACE_REPORT)), 0);
  ASSERT_EQ(inner_.Answer(WithCall(Held(inner_, kEntry), SYS_close, 999)), 0);
  const utrace_notice again = Held(outer_, kEntry);
  EXPECT_EQ(again.flags, UTRACE_NOTICE_RESUMED);
  EXPECT_EQ(again.nr, SYS_close);
  NothingToTell(inner_);
  EXPECT_EQ(outer_.Resume(again), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EBADF));
}

// SEED-13 (e), by a session.
TEST_F(Nested, WhoseOwnerIsGoneIsNotTold) {
  Arm(kEntry);
  Trigger();
  const utrace_notice outer = HeldFirst(outer_, inner_, kEntry);
  inner_.Close();
  EXPECT_EQ(tracee_.Hear(100), "");
  EXPECT_EQ(outer_.Resume(outer), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Nested, WhoseOwnerIsGoneHoldsNoLonger) {
  Arm(kEntry);
  Trigger();
  HeldFirst(outer_, inner_, kEntry);
  outer_.Close();
  EXPECT_EQ(inner_.Resume(Held(inner_, kEntry)), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Nested, KilledItIsNotTold) {
  Arm(kEntry);
  Trigger();
  HeldFirst(outer_, inner_, kEntry);
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
  EXPECT_EQ(inner_.Next().type, UTRACE_NOTICE_GONE);
  EXPECT_EQ(outer_.Next().type, UTRACE_NOTICE_GONE);
}

TEST_F(Nested, AChildIsTooAndDoesNotRunBefore) {
  const uint32_t flags = UTRACE_TARGET_GROUP | UTRACE_TARGET_CHILDREN;
  ASSERT_GT(inner_.Attach(tracee_.pid(), UTRACE_EVENT(CLONE) | UTRACE_EVENT(EXIT), flags), 0);
  ASSERT_GT(outer_.Attach(tracee_.pid(), UTRACE_EVENT(CLONE) | UTRACE_EVENT(EXIT), flags | kNested),
            0);
  tracee_.Tell("fork");
  EXPECT_EQ(inner_.Next().type, UTRACE_NOTICE_ATTACHED);
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(CLONE));
  NothingToTell(outer_);
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(outer_.Next().type, UTRACE_NOTICE_ATTACHED);
  const utrace_notice outer = Held(outer_, UTRACE_EVENT(CLONE));
  // It would end at once.
  NothingToTell(inner_);
  EXPECT_EQ(outer_.Resume(outer), 0);
  const utrace_notice child = Held(inner_, UTRACE_EVENT(EXIT));
  EXPECT_EQ(child.tid, inner.result);
  NothingToTell(outer_);
  EXPECT_EQ(inner_.Resume(child), 0);
  EXPECT_EQ(outer_.Resume(Held(outer_, UTRACE_EVENT(EXIT))), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(child.tid));
}

TEST_F(Nested, AnExecIsToldInTurn) {
  Arm(UTRACE_EVENT(EXEC));
  tracee_.Tell("exec");
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(EXEC));
  NothingToTell(outer_);
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(outer_.Resume(Held(outer_, UTRACE_EVENT(EXEC))), 0);
  EXPECT_EQ(tracee_.Hear(), "ready");
}

TEST_F(Nested, AnExitCodeGoesFromOneToTheNext) {
  Arm(UTRACE_EVENT(EXIT));
  tracee_.Tell("exit 3");
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(EXIT));
  EXPECT_EQ(inner.result, 3 << 8);
  ASSERT_EQ(inner_.Answer(WithResult(inner, 4 << 8)), 0);
  const utrace_notice outer = Held(outer_, UTRACE_EVENT(EXIT));
  EXPECT_EQ(outer.result, 4 << 8);
  ASSERT_EQ(outer_.Answer(WithResult(outer, 5 << 8)), 0);
  EXPECT_EQ(tracee_.Wait(), 5 << 8);
}

TEST_F(Nested, TheOneWhoLetsItAsItIsChangesNothing) {
  Arm(UTRACE_EVENT(EXIT));
  tracee_.Tell("exit 3");
  ASSERT_EQ(inner_.Answer(WithResult(HeldFirst(inner_, outer_, UTRACE_EVENT(EXIT)), 4 << 8)), 0);
  EXPECT_EQ(outer_.Resume(Held(outer_, UTRACE_EVENT(EXIT))), 0);
  EXPECT_EQ(tracee_.Wait(), 4 << 8);
}

// The debugger has it at the call, and whoever comes after sees nothing of it before it is begun
// anew.
TEST_F(Nested, HandedOverTheCallIsToldAnewToAll) {
  Debugger debugger(tracee_.pid());
  ASSERT_GT(inner_.AttachForCalls(tracee_.pid(), kEntry | kExit, {SYS_getpriority}), 0);
  ASSERT_GT(outer_.AttachForCalls(tracee_.pid(), kEntry, {SYS_getpriority},
                                  kNested | UTRACE_TARGET_HANDOVER),
            0);
  Trigger();
  Held(outer_, kEntry);
  debugger.Seize();
  debugger.Interrupt();
  ASSERT_EQ(debugger.Stop(), Debugger::kInterrupted);
  EXPECT_EQ(outer_.Next().type, UTRACE_NOTICE_RELEASED);
  NothingToTell(inner_);
  ASSERT_EQ(debugger.Go(), 0);
  EXPECT_EQ(outer_.Resume(Held(outer_, kEntry)), 0);
  EXPECT_EQ(inner_.Resume(Held(inner_, kEntry)), 0);
  EXPECT_EQ(inner_.Resume(Held(inner_, kExit)), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(Nested, WhoNeverHoldsCannotAskForIt) {
  EXPECT_EQ(outer_.Attach(tracee_.pid(), kEntry, UTRACE_TARGET_TRACE | kNested), -EINVAL);
}

TEST_F(Nested, ItIsListed) {
  const int64_t nested = inner_.Attach(tracee_.pid(), kEntry, kNested);
  ASSERT_GT(outer_.Attach(tracee_.pid(), kEntry), 0);
  const std::vector<utrace_info> infos = inner_.List(tracee_.pid());
  EXPECT_EQ(infos.size(), 2u);
  for (const utrace_info& info : infos) {
    EXPECT_EQ((info.flags & UTRACE_INFO_NESTED) != 0, static_cast<int64_t>(info.engine) == nested);
  }
}

class NestedSignal : public NestedPair {
 protected:
  NestedSignal() : NestedPair("handler") {}

  void Arm(uint32_t events) {
    ASSERT_GT(inner_.Attach(tracee_.pid(), events, kNested), 0);
    ASSERT_GT(outer_.Attach(tracee_.pid(), events), 0);
  }
  void Send(int signo) { ASSERT_EQ(kill(tracee_.pid(), signo), 0); }
};

TEST_F(NestedSignal, ItGoesFromOneToTheNext) {
  Arm(UTRACE_EVENT(SIGNAL_TERM));
  Send(SIGUSR1);
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(SIGNAL_TERM));
  NothingToTell(outer_);
  siginfo_t other = InfoOf(inner);
  other.si_signo = SIGUSR2;
  ASSERT_EQ(inner_.Answer(Instead(inner, other)), 0);
  const utrace_notice outer = Held(outer_, UTRACE_EVENT(SIGNAL_TERM));
  EXPECT_EQ(outer.result, SIGUSR2);
  EXPECT_EQ(InfoOf(outer).si_signo, SIGUSR2);
  EXPECT_EQ(InfoOf(outer).si_pid, getpid());
  EXPECT_EQ(outer.flags, 0u);
  EXPECT_EQ(outer_.Resume(outer), 0);
  EXPECT_EQ(tracee_.Wait(), SIGUSR2);
}

TEST_F(NestedSignal, ThatItIsDroppedIsTold) {
  Arm(UTRACE_EVENT(SIGNAL_TERM));
  Send(SIGUSR1);
  ASSERT_EQ(inner_.Answer(AnswerTo(Held(inner_, UTRACE_EVENT(SIGNAL_TERM)), kDrop)), 0);
  const utrace_notice outer = Held(outer_, UTRACE_EVENT(SIGNAL_TERM));
  EXPECT_EQ(outer.flags, UTRACE_NOTICE_DECIDED);
  EXPECT_EQ(outer.result, SIGUSR1);
  EXPECT_EQ(outer_.Resume(outer), 0);
  EXPECT_EQ(tracee_.Ask("seen").substr(0, 1), "0");
}

TEST_F(NestedSignal, WhatTheNextSaysOfItPrevails) {
  Arm(UTRACE_EVENT(SIGNAL_TERM));
  Send(SIGUSR1);
  ASSERT_EQ(inner_.Answer(AnswerTo(HeldFirst(inner_, outer_, UTRACE_EVENT(SIGNAL_TERM)), kDrop)),
            0);
  const utrace_notice outer = Held(outer_, UTRACE_EVENT(SIGNAL_TERM));
  ASSERT_EQ(outer_.Answer(Instead(outer, InfoOf(outer))), 0);
  EXPECT_EQ(tracee_.Wait(), SIGUSR1);
}

// Held at its fault, one after the other.
TEST_F(NestedSignal, AFaultToo) {
  Arm(UTRACE_EVENT(SIGNAL_CORE));
  tracee_.Tell("fault " + std::to_string(kBad));
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(SIGNAL_CORE));
  NothingToTell(outer_);
  EXPECT_EQ(inner_.Resume(inner), 0);
  const utrace_notice outer = Held(outer_, UTRACE_EVENT(SIGNAL_CORE));
  EXPECT_EQ(InfoOf(outer).si_addr, InfoOf(inner).si_addr);
  EXPECT_EQ(outer_.Resume(outer), 0);
  EXPECT_EQ(tracee_.Wait() & 0x7f, SIGSEGV);
}

TEST_F(NestedSignal, AtTheHandlerToo) {
  ASSERT_EQ(tracee_.Ask("handle " + std::to_string(SIGUSR1)), "0");
  Arm(UTRACE_EVENT(SIGNAL_HANDLER));
  Send(SIGUSR1);
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(SIGNAL_HANDLER));
  NothingToTell(outer_);
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(outer_.Resume(Held(outer_, UTRACE_EVENT(SIGNAL_HANDLER))), 0);
  EXPECT_EQ(tracee_.Ask("seen").substr(0, 1), "1");
}

// It stops first, as its parent is told, and both holds take effect after that; that it goes on is
// told in turn.
TEST_F(NestedSignal, JobControlsStopWaitsForNobody) {
  Arm(UTRACE_EVENT(JCTL));
  Send(SIGSTOP);
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(JCTL));
  const utrace_notice outer = Held(outer_, UTRACE_EVENT(JCTL));
  int status = 0;
  ASSERT_TRUE(Eventually([&] { return waitpid(tracee_.pid(), &status, WUNTRACED | WNOHANG) > 0; }));
  EXPECT_TRUE(WIFSTOPPED(status));
  Send(SIGCONT);
  EXPECT_EQ(inner_.Resume(inner), 0);
  EXPECT_EQ(outer_.Resume(outer), 0);
  const utrace_notice first = Held(inner_, UTRACE_EVENT(JCTL));
  EXPECT_EQ(first.result, CLD_CONTINUED);
  NothingToTell(outer_);
  EXPECT_EQ(inner_.Resume(first), 0);
  EXPECT_EQ(outer_.Resume(Held(outer_, UTRACE_EVENT(JCTL))), 0);
  EXPECT_EQ(tracee_.Ask("seen").substr(0, 1), "0");
}

// A thread held in the middle of a pass counts in a stop of its group like any other.
TEST_F(NestedSignal, HeldBetweenItStopsWithItsGroup) {
  // One that takes the signal by which they stop.
  ASSERT_GT(std::stoi("0" + tracee_.Ask("thread")), 0);
  Arm(UTRACE_EVENT(SIGNAL_TERM));
  ASSERT_EQ(syscall(SYS_tgkill, tracee_.pid(), tracee_.pid(), SIGUSR1), 0);
  const utrace_notice inner = Held(inner_, UTRACE_EVENT(SIGNAL_TERM));
  Send(SIGSTOP);
  int status = 0;
  ASSERT_TRUE(Eventually([&] { return waitpid(tracee_.pid(), &status, WUNTRACED | WNOHANG) > 0; }));
  EXPECT_TRUE(WIFSTOPPED(status));
  NothingToTell(outer_);
  Send(SIGCONT);
  NothingToTell(outer_);
  ASSERT_EQ(inner_.Answer(AnswerTo(inner, kDrop)), 0);
  ASSERT_EQ(outer_.Resume(Held(outer_, UTRACE_EVENT(SIGNAL_TERM))), 0);
  EXPECT_EQ(tracee_.Ask("seen").substr(0, 1), "0");
}

}  // namespace
}  // namespace utrace::test
