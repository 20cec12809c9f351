// SPDX-License-Identifier: Apache-2.0
// What comes of a signal that was held: the program's calls, its stops and its exec are as without
// us.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

// The program's calls end as they would without us.
class SignalledCall : public SignalStop {
 protected:
  void Begin(const std::string& call, long nr) {
    tracee_.Tell(call);
    ASSERT_TRUE(IsIn(nr));
  }
  void Interrupt(uint32_t action) {
    Send(SIGUSR1);
    EXPECT_EQ(device_.Answer(AnswerTo(Held(UTRACE_EVENT(SIGNAL), SIGUSR1), action)), 0);
  }
};

TEST_F(SignalledCall, IsRestartedIfTheHandlerSaysSo) {
  Handle(SIGUSR1, "restart");
  Arm(UTRACE_EVENT(SIGNAL));
  Begin("read 0", SYS_readv);
  Interrupt(UTRACE_RESUME);
  EXPECT_EQ(tracee_.Hear(200), "");
  tracee_.Tell("");
  EXPECT_EQ(tracee_.Hear(), "1");
  EXPECT_EQ(Runs(), 1);
}

TEST_F(SignalledCall, EndsIfTheHandlerDoesNotSaySo) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Begin("read 0", SYS_readv);
  Interrupt(UTRACE_RESUME);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EINTR));
  EXPECT_EQ(Runs(), 1);
}

TEST_F(SignalledCall, GoesOnIfTheSignalIsDropped) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Begin("sleep", SYS_nanosleep);
  Interrupt(kDrop);
  EXPECT_EQ(tracee_.Hear(300), "");
  Interrupt(UTRACE_RESUME);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EINTR));
}

// Two at once: the one that is dropped does not have the call begun anew before the other is seen.
TEST_F(SignalledCall, EndsByTheSecondIfTheFirstIsDropped) {
  Handle(SIGUSR1);
  Handle(SIGUSR2);
  Arm(UTRACE_EVENT(SIGNAL));
  Begin("pause", SYS_pause);
  Send(SIGUSR1);
  const utrace_notice first = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  Send(SIGUSR2);
  EXPECT_EQ(device_.Answer(AnswerTo(first, kDrop)), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL), SIGUSR2)), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EINTR));
  EXPECT_EQ(Runs(), 1);
}

// There it is data, and nothing is done about it.
TEST_F(SignalledCall, TakenByTheProgramItselfItIsNotTold) {
  Do("block " + std::to_string(SIGUSR1));
  Arm(UTRACE_EVENTS_SIGNAL & ~UTRACE_EVENT(SIGNAL_IGN));
  Begin("take " + std::to_string(SIGUSR1), SYS_rt_sigtimedwait);
  Send(SIGUSR1);
  EXPECT_EQ(tracee_.Hear(), std::to_string(SIGUSR1));
  NothingToTell();
}

using StopSignal = SignalStop;

TEST_F(StopSignal, DeliveredStopsItAsItWould) {
  Arm(UTRACE_EVENT(SIGNAL_STOP));
  ASSERT_EQ(kill(tracee_.pid(), SIGSTOP), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL_STOP), SIGSTOP)), 0);
  EXPECT_EQ(StoppedBy(), SIGSTOP);
  ASSERT_EQ(kill(tracee_.pid(), SIGCONT), 0);
  EXPECT_EQ(Runs(), 0);
}

TEST_F(StopSignal, DroppedDoesNotStopIt) {
  Arm(UTRACE_EVENT(SIGNAL_STOP));
  ASSERT_EQ(kill(tracee_.pid(), SIGSTOP), 0);
  EXPECT_EQ(device_.Answer(AnswerTo(Held(UTRACE_EVENT(SIGNAL_STOP), SIGSTOP), kDrop)), 0);
  EXPECT_EQ(Runs(), 0);
}

TEST_F(StopSignal, PutInAnothersPlaceItStopsToo) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGSTOP;
  EXPECT_EQ(device_.Answer(Instead(notice, info)), 0);
  EXPECT_EQ(StoppedBy(), SIGSTOP);
  ASSERT_EQ(kill(tracee_.pid(), SIGCONT), 0);
  EXPECT_EQ(Runs(), 0);
}

// A stop that is not done yet is undone, whoever holds it.
TEST_F(StopSignal, TakenBackBySigcontWhileHeld) {
  Arm(UTRACE_EVENT(SIGNAL_STOP));
  ASSERT_EQ(kill(tracee_.pid(), SIGSTOP), 0);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL_STOP), SIGSTOP);
  ASSERT_EQ(kill(tracee_.pid(), SIGCONT), 0);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 0);
  EXPECT_TRUE(IsIn(SYS_read));
}

// A debugger comes after the engines: it sees what they made of the signal, or nothing.
TEST_F(StopSignal, ADebuggerSeesWhatWasMadeOfIt) {
  Handle(SIGUSR1);
  Handle(SIGUSR2);
  ASSERT_EQ(ptrace(PTRACE_SEIZE, tracee_.pid(), nullptr, nullptr), 0);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  EXPECT_EQ(device_.Answer(AnswerTo(Held(UTRACE_EVENT(SIGNAL), SIGUSR1), kDrop)), 0);
  EXPECT_EQ(Runs(), 0);
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGUSR2;
  EXPECT_EQ(device_.Answer(Instead(notice, info)), 0);
  EXPECT_EQ(StoppedBy(), SIGUSR2);
  siginfo_t seen{};
  EXPECT_EQ(ptrace(PTRACE_GETSIGINFO, tracee_.pid(), nullptr, &seen), 0);
  EXPECT_EQ(seen.si_code, SI_QUEUE);
  ASSERT_EQ(ptrace(PTRACE_CONT, tracee_.pid(), nullptr, SIGUSR2), 0);
  EXPECT_EQ(Runs(), 1);
}

// What a thread has taken for its group is the group's again when a sibling's exec ends the thread.
TEST_F(SignalStop, OfTheGroupOutlivesTheThreadThatTookIt) {
  Handle(SIGUSR1);
  Do("block " + std::to_string(SIGUSR1));
  const pid_t tid = std::stoi("0" + tracee_.Ask("thread"));
  ASSERT_GT(device_.Attach(tid, UTRACE_EVENT(SIGNAL)), 0);
  Send(SIGUSR1);
  const utrace_notice notice = device_.Next();
  ASSERT_EQ(notice.event, UTRACE_EVENT(SIGNAL)) << ToString(notice);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee_.pid(), tid) == 't'; }));
  ASSERT_EQ(tracee_.Ask("exec"), "ready");
  // Blocked there too, so it waits.
  std::ifstream file("/proc/" + std::to_string(tracee_.pid()) + "/status");
  std::string word;
  while (file >> word && word != "ShdPnd:") continue;
  ASSERT_TRUE(file >> word);
  EXPECT_EQ(std::stoul(word, nullptr, 16), 1ul << (SIGUSR1 - 1));
}

}  // namespace
}  // namespace utrace::test
