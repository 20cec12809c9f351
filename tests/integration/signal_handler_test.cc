// SPDX-License-Identifier: Apache-2.0
// Where a handler begins: its frame is built, and none of its instructions has run.
#include <sys/user.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

constexpr uint32_t kHandler = UTRACE_EVENT(SIGNAL_HANDLER);

class HandlerStop : public SignalStop {
 protected:
  user_regs_struct Regs() {
    user_regs_struct regs{};
    EXPECT_EQ(device_.Regs(engine_, tracee_.pid(), &regs), 0);
    return regs;
  }
  uint64_t Blocked() {
    std::ifstream status("/proc/" + std::to_string(tracee_.pid()) + "/status");
    for (std::string word; status >> word;) {
      if (word != "SigBlk:") continue;
      status >> word;
      return std::stoull(word, nullptr, 16);
    }
    return 0;
  }
};

TEST_F(HandlerStop, SmokeHeldBeforeItsFirstInstruction) {
  Handle(SIGUSR1);
  Arm(kHandler);
  Send(SIGUSR1, 73);
  const utrace_notice notice = Held(kHandler, SIGUSR1);
  EXPECT_EQ(InfoOf(notice).si_signo, SIGUSR1);
  EXPECT_EQ(InfoOf(notice).si_value.sival_int, 73);
  const user_regs_struct regs = Regs();
  EXPECT_EQ(regs.rdi, static_cast<uint64_t>(SIGUSR1));  // its first argument
  EXPECT_EQ(regs.rip, notice.ip);
  EXPECT_EQ(Blocked(), uint64_t{1} << (SIGUSR1 - 1));
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 1);
  EXPECT_EQ(Blocked(), 0u);
}

TEST_F(HandlerStop, ComesAfterTheSignalAndIsOfWhatWasPutInItsPlace) {
  Handle(SIGUSR2);
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL) | kHandler);
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGUSR2;
  ASSERT_EQ(device_.Answer(Instead(notice, info)), 0);
  EXPECT_EQ(device_.Resume(Held(kHandler, SIGUSR2)), 0);
  EXPECT_EQ(Runs(), 1);
}

// Each frame is built upon the one before it.
TEST_F(HandlerStop, OfTwoPendingEachIsTold) {
  Handle(SIGUSR1);
  Handle(SIGUSR2);
  Arm(UTRACE_EVENT(SIGNAL) | kHandler);
  Send(SIGUSR1);
  const utrace_notice first = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  Send(SIGUSR2);
  EXPECT_EQ(device_.Resume(first), 0);
  const utrace_notice outer = Held(kHandler, SIGUSR1);
  EXPECT_EQ(device_.Resume(outer), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL), SIGUSR2)), 0);
  const utrace_notice inner = Held(kHandler, SIGUSR2);
  EXPECT_LT(inner.sp, outer.sp);
  EXPECT_EQ(device_.Resume(inner), 0);
  EXPECT_EQ(Runs(), 2);
}

TEST_F(HandlerStop, WithoutAHandlerThereIsNone) {
  Handle(SIGUSR1);
  Do("ignore " + std::to_string(SIGUSR2));
  Arm(UTRACE_EVENT(SIGNAL) | kHandler);
  Send(SIGUSR2);
  Send(SIGURG);
  Send(SIGUSR1);
  EXPECT_EQ(device_.Answer(AnswerTo(Held(UTRACE_EVENT(SIGNAL), SIGUSR1), kDrop)), 0);
  NothingToTell();
  EXPECT_EQ(Runs(), 0);
}

// The stack is not there: the kernel ends it instead.
TEST_F(HandlerStop, AFrameThatCannotBeBuiltHasNone) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL) | kHandler);
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  user_regs_struct regs = Regs();
  regs.rsp = kBad;
  ASSERT_EQ(device_.Regs(engine_, tracee_.pid(), &regs, UTRACE_EXAMINE_WRITE), 0);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_NE(device_.Next().event, kHandler);
  EXPECT_EQ(WTERMSIG(tracee_.Wait()), SIGSEGV);
}

TEST_F(HandlerStop, ThereIsNothingToDecideAboutTheSignal) {
  Handle(SIGUSR1);
  Arm(kHandler);
  Send(SIGUSR1);
  const utrace_notice notice = Held(kHandler, SIGUSR1);
  EXPECT_EQ(device_.Answer(AnswerTo(notice, kDrop)), -EINVAL);
  EXPECT_EQ(device_.Answer(Instead(notice, InfoOf(notice))), -EINVAL);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 1);
}

TEST_F(HandlerStop, ItsArgumentsCanBeChanged) {
  Handle(SIGUSR1);
  const std::string word = tracee_.Ask("word");
  Arm(kHandler);
  Send(SIGUSR1);
  const utrace_notice notice = Held(kHandler, SIGUSR1);
  user_regs_struct regs = Regs();
  regs.rsi = std::stoull("0" + word);
  ASSERT_EQ(device_.Regs(engine_, tracee_.pid(), &regs, UTRACE_EXAMINE_WRITE), 0);
  EXPECT_EQ(device_.Resume(notice), 0);
  // What stands there, taken for a number.
  EXPECT_EQ(tracee_.Ask("seen").rfind("1 " + std::to_string(0x6163650a) + " ", 0), 0u);
}

TEST_F(HandlerStop, SigkillEndsTheHold) {
  Handle(SIGUSR1);
  Arm(kHandler);
  Send(SIGUSR1);
  Held(kHandler, SIGUSR1);
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
}

TEST_F(HandlerStop, TheOwnersEndLetsItRun) {
  Handle(SIGUSR1);
  Arm(kHandler);
  Send(SIGUSR1);
  Held(kHandler, SIGUSR1);
  device_.Close();
  EXPECT_EQ(Runs(), 1);
}

}  // namespace
}  // namespace utrace::test
