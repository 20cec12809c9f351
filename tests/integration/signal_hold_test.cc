// SPDX-License-Identifier: Apache-2.0
// A signal put back where it was taken from, to be told again.
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

constexpr uint32_t kHold = UTRACE_SIGNAL_HOLD;
constexpr uint32_t kBack = kDrop | kHold;

class HeldSignal : public SignalStop {
 protected:
  int Answer(const utrace_notice& notice, uint32_t action) {
    return device_.Answer(AnswerTo(notice, action));
  }
  int ValueOf(const utrace_notice& notice) { return InfoOf(notice).si_value.sival_int; }
};

TEST_F(HeldSignal, SmokeItIsToldAgainAsItWas) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1, 71);
  utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Answer(notice, kBack), 0);
    notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
    EXPECT_EQ(InfoOf(notice).si_code, SI_QUEUE);
    EXPECT_EQ(InfoOf(notice).si_pid, getpid());
    EXPECT_EQ(ValueOf(notice), 71);
  }
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 1);
}

TEST_F(HeldSignal, WhenItsEngineLeavesItIsDelivered) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  EXPECT_EQ(Answer(Held(UTRACE_EVENT(SIGNAL), SIGUSR1),
                   static_cast<uint32_t>(UTRACE_DETACH) | UTRACE_SIGNAL_IGN | kHold),
            0);
  EXPECT_EQ(Runs(), 1);
}

TEST_F(HeldSignal, AnotherIsDeliveredBeforeIt) {
  Handle(SIGUSR1);
  Handle(SIGUSR2);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGUSR2;
  utrace_answer answer = Instead(notice, info);
  answer.action |= kHold;
  ASSERT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL), SIGUSR1)), 0);
  EXPECT_EQ(Runs(), 2);
}

// After a stop it is there still.
TEST_F(HeldSignal, AStopIsForcedBeforeIt) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  ASSERT_EQ(Answer(Held(UTRACE_EVENT(SIGNAL), SIGUSR1),
                   static_cast<uint32_t>(UTRACE_RESUME) | UTRACE_SIGNAL_STOP | kHold),
            0);
  EXPECT_EQ(StoppedBy(), SIGUSR1);
  tracee_.Kill(SIGCONT);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL), SIGUSR1)), 0);
  EXPECT_EQ(Runs(), 1);
}

TEST_F(HeldSignal, ItIsInFrontOfItsQueue) {
  const int signo = SIGRTMIN;
  Handle(signo);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(signo, 1);
  utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), signo);
  Send(signo, 2);
  ASSERT_EQ(Answer(notice, kBack), 0);
  for (const int value : {1, 2}) {
    notice = Held(UTRACE_EVENT(SIGNAL), signo);
    EXPECT_EQ(ValueOf(notice), value);
    EXPECT_EQ(device_.Resume(notice), 0);
  }
  EXPECT_EQ(Runs(), 2);
}

TEST_F(HeldSignal, AStandardOneThatCameAgainStandsForBoth) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1, 1);
  utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  Send(SIGUSR1, 2);
  ASSERT_EQ(Answer(notice, kBack), 0);
  notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  EXPECT_EQ(ValueOf(notice), 2);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 1);
}

// It was sent once, and only then took stops away.
TEST_F(HeldSignal, ASigcontTakesNoLaterStopAway) {
  Handle(SIGCONT);
  Arm(UTRACE_EVENT(SIGNAL));
  tracee_.Kill(SIGCONT);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGCONT);
  tracee_.Kill(SIGSTOP);
  ASSERT_EQ(Answer(notice, kBack), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL), SIGCONT)), 0);
  EXPECT_EQ(StoppedBy(), SIGSTOP);
}

TEST_F(HeldSignal, SigkillEndsIt) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  tracee_.Kill(SIGKILL);
  (void)Answer(notice, kBack);  // it may be too late
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
}

TEST_F(HeldSignal, ItMeansNothingWhenItIsDelivered) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  EXPECT_EQ(Answer(notice, static_cast<uint32_t>(UTRACE_RESUME) | kHold), -EINVAL);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 1);
}

TEST_F(HeldSignal, AFaultIsNotHeld) {
  Handle(SIGSEGV);
  Arm(UTRACE_EVENT(SIGNAL));
  tracee_.Tell("fault " + std::to_string(kBad));
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGSEGV);
  EXPECT_EQ(Answer(notice, kBack), -EINVAL);
}

}  // namespace
}  // namespace utrace::test
