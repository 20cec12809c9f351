// SPDX-License-Identifier: Apache-2.0
// Threads held at signals that were taken off their queue, and what an answer may change.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

TEST_F(SignalStop, SmokeIsHeldBeforeItsHandlerWhichThenSeesTheSame) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1, 77);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  const siginfo_t info = InfoOf(notice);
  EXPECT_EQ(info.si_signo, SIGUSR1);
  EXPECT_EQ(info.si_code, SI_QUEUE);
  EXPECT_EQ(info.si_pid, getpid());
  EXPECT_EQ(info.si_value.sival_int, 77);
  EXPECT_EQ(notice.flags, 0u);
  const std::vector<utrace_info> infos = device_.List(tracee_.pid());
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].event, UTRACE_EVENT(SIGNAL));
  EXPECT_EQ(infos[0].signo, static_cast<uint32_t>(SIGUSR1));
  tracee_.Tell("seen");
  EXPECT_EQ(tracee_.Hear(200), "");
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "1 10 -1 " + std::to_string(getpid()) + " 77 0");
}

TEST_F(SignalStop, DroppedByTheAnswerItNeverWas) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  EXPECT_EQ(device_.Answer(AnswerTo(Held(UTRACE_EVENT(SIGNAL), SIGUSR1), kDrop)), 0);
  EXPECT_EQ(Runs(), 0);
}

TEST_F(SignalStop, ReplacedTheOtherHandlerRuns) {
  Handle(SIGUSR1);
  Handle(SIGUSR2);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1, 1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGUSR2;
  info.si_value.sival_int = 2;
  EXPECT_EQ(device_.Answer(Instead(notice, info)), 0);
  EXPECT_EQ(tracee_.Ask("seen"), "1 12 -1 " + std::to_string(getpid()) + " 2 0");
  NothingToTell();
}

// Kept until the program takes it, and told anew then.
TEST_F(SignalStop, ReplacedByABlockedOneItWaits) {
  Handle(SIGUSR1);
  Do("block " + std::to_string(SIGUSR2));
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGUSR2;
  EXPECT_EQ(device_.Answer(Instead(notice, info)), 0);
  EXPECT_EQ(Runs(), 0);
  // It was sent to the group, and a thread that takes it has no handler: it ends them all.
  tracee_.Tell("thread");
  EXPECT_EQ(tracee_.Wait(), SIGUSR2);
}

TEST_F(SignalStop, AFatalOneDroppedTheProcessLives) {
  Arm(UTRACE_EVENT(SIGNAL_TERM));
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(kill(tracee_.pid(), SIGTERM), 0);
    EXPECT_EQ(device_.Answer(AnswerTo(Held(UTRACE_EVENT(SIGNAL_TERM), SIGTERM), kDrop)), 0);
    ASSERT_EQ(Runs(), 0);
  }
}

TEST_F(SignalStop, AFatalOneDeliveredEndsItAsItWould) {
  Arm(UTRACE_EVENT(SIGNAL_TERM));
  ASSERT_EQ(kill(tracee_.pid(), SIGTERM), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL_TERM), SIGTERM)), 0);
  EXPECT_EQ(tracee_.Wait(), SIGTERM);
}

// The engine is on the thread that takes it, which is not the one it is sent to.
TEST_F(SignalStop, AFatalOneForTheGroupIsToldByTheThreadThatTakesIt) {
  Do("block " + std::to_string(SIGTERM));
  const pid_t tid = std::stoi("0" + tracee_.Ask("thread"));
  ASSERT_GT(tid, 0);
  ASSERT_GT(device_.Attach(tid, UTRACE_EVENT(SIGNAL_TERM)), 0);
  ASSERT_EQ(kill(tracee_.pid(), SIGTERM), 0);
  const utrace_notice notice = device_.Next();
  EXPECT_EQ(notice.event, UTRACE_EVENT(SIGNAL_TERM)) << ToString(notice);
  EXPECT_EQ(notice.tid, tid);
  EXPECT_EQ(device_.Answer(AnswerTo(notice, kDrop)), 0);
  EXPECT_EQ(Runs(), 0);
}

// Who asks for other signals changes nothing about this one.
TEST_F(SignalStop, AFatalOneNobodyAskedForEndsAHoldAndTheProcess) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  ASSERT_EQ(kill(tracee_.pid(), SIGTERM), 0);
  EXPECT_EQ(tracee_.Wait(), SIGTERM);
}

TEST_F(SignalStop, SmokeACrashIsCaughtBeforeItsCoreDump) {
  const unsigned long address = std::stoul(tracee_.Ask("word"));
  Arm(UTRACE_EVENT(SIGNAL_CORE));
  tracee_.Tell("fault " + std::to_string(kBad));
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL_CORE), SIGSEGV);
  const siginfo_t info = InfoOf(notice);
  EXPECT_EQ(info.si_code, SEGV_MAPERR);
  EXPECT_EQ(info.si_addr, reinterpret_cast<void*>(kBad));
  long word = 0;
  utrace_memory memory{};
  memory.engine = engine_;
  memory.tid = tracee_.pid();
  memory.addr = address;
  memory.buf = reinterpret_cast<__u64>(&word);
  memory.len = sizeof(word);
  EXPECT_EQ(device_.Call(UTRACE_IOC_MEMORY, &memory), 0);
  EXPECT_EQ(word, 0x7574726163650a);
  EXPECT_EQ(device_.Resume(notice), 0);
  const int status = tracee_.Wait();
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
}

// Nothing has changed, so the instruction faults again.
TEST_F(SignalStop, AFaultDroppedComesAgainAndItsHandlerSeesItOnce) {
  Handle(SIGSEGV);
  Arm(UTRACE_EVENT(SIGNAL));
  tracee_.Tell("fault " + std::to_string(kBad));
  EXPECT_EQ(device_.Answer(AnswerTo(Held(UTRACE_EVENT(SIGNAL), SIGSEGV), kDrop)), 0);
  const utrace_notice again = Held(UTRACE_EVENT(SIGNAL), SIGSEGV);
  EXPECT_EQ(device_.Resume(again), 0);
  EXPECT_EQ(tracee_.Hear(), "0");
  EXPECT_EQ(tracee_.Ask("seen"), "1 11 1 0 0 0x1000");
  NothingToTell();
}

TEST_F(SignalStop, AFaultReplacedIsTheOtherSignalAndToldOnce) {
  Handle(SIGSEGV);
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  tracee_.Tell("fault " + std::to_string(kBad));
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGSEGV);
  siginfo_t info{};
  info.si_signo = SIGUSR1;
  info.si_code = SI_QUEUE;
  EXPECT_EQ(device_.Answer(Instead(notice, info)), 0);
  // Its handler runs, untold, and then the instruction faults again.
  const utrace_notice again = Held(UTRACE_EVENT(SIGNAL), SIGSEGV);
  EXPECT_EQ(device_.Resume(again), 0);
  EXPECT_EQ(tracee_.Hear(), "0");
  EXPECT_EQ(Runs(), 2);
}

// By default nobody learns of it, and the call it is in goes on.
TEST_F(SignalStop, SmokeADefaultIgnoredOneIsTold) {
  Arm(UTRACE_EVENT(SIGNAL_IGN), UTRACE_TARGET_INTERCEPT);
  tracee_.Tell("child");
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL_IGN), SIGCHLD);
  const siginfo_t info = InfoOf(notice);
  EXPECT_EQ(info.si_code, CLD_EXITED);
  EXPECT_EQ(info.si_status, 7);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(info.si_pid));
  EXPECT_EQ(Runs(), 0);
}

TEST_F(SignalStop, AnIgnoredOneIsToldAndCanBeMadeAnother) {
  Do("ignore " + std::to_string(SIGUSR1));
  Handle(SIGUSR2);
  Arm(UTRACE_EVENT(SIGNAL_IGN), UTRACE_TARGET_INTERCEPT);
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL_IGN), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGUSR2;
  EXPECT_EQ(device_.Answer(Instead(notice, info)), 0);
  EXPECT_EQ(Runs(), 1);
}

// What a sender changed for a moment is as before.
TEST_F(SignalStop, AnIgnoredOneNobodyAsksForAnyMoreDisturbsNothing) {
  Arm(UTRACE_EVENT(SIGNAL_IGN), UTRACE_TARGET_INTERCEPT);
  ASSERT_EQ(kill(tracee_.pid(), SIGWINCH), 0);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL_IGN), SIGWINCH);
  ASSERT_EQ(device_.SetEvents(engine_, 0, 0), 0);
  ASSERT_EQ(device_.Resume(notice), 0);
  tracee_.Tell("epoll");
  ASSERT_TRUE(IsIn(SYS_epoll_wait));
  ASSERT_EQ(kill(tracee_.pid(), SIGWINCH), 0);
  EXPECT_EQ(tracee_.Hear(300), "");
}

// Nothing is queued, so nothing wakes the thread: neither where nobody asked for it nor where
// somebody did, who is told when it comes by (H-14).
class IgnoredWhileItWaits : public SignalStop,
                            public testing::WithParamInterface<std::tuple<uint32_t, uint32_t>> {};

INSTANTIATE_TEST_SUITE_P(Signal, IgnoredWhileItWaits,
                         testing::Combine(testing::Values(UTRACE_EVENTS_SIGNAL &
                                                              ~UTRACE_EVENT(SIGNAL_IGN),
                                                          UTRACE_EVENTS_SIGNAL),
                                          testing::Values(0, UTRACE_TARGET_NESTED)));

TEST_P(IgnoredWhileItWaits, DisturbsNothing) {
  Arm(std::get<0>(GetParam()), std::get<1>(GetParam()));
  tracee_.Tell("epoll");
  ASSERT_TRUE(IsIn(SYS_epoll_wait));
  const long switches = SwitchesOf(tracee_.pid());
  for (const int signo : {SIGWINCH, SIGCHLD, SIGURG}) ASSERT_EQ(kill(tracee_.pid(), signo), 0);
  EXPECT_EQ(tracee_.Hear(300), "");
  EXPECT_EQ(SwitchesOf(tracee_.pid()), switches) << "it was woken";
}

// Once however often it was sent, by number alone, and nothing is to be decided.
TEST_F(SignalStop, SmokeAnIgnoredOneIsToldAfterwards) {
  Do("ignore " + std::to_string(SIGUSR1));
  Handle(SIGUSR2);
  Device other = Device::Open();
  Arm(UTRACE_EVENT(SIGNAL_IGN));
  ASSERT_GT(other.Attach(tracee_.pid(), UTRACE_EVENT(SIGNAL_IGN)), 0);
  for (const int signo : {SIGWINCH, SIGUSR1, SIGWINCH}) Send(signo);
  tracee_.Tell("word");
  for (const int signo : {SIGUSR1, SIGWINCH}) {
    for (Device* const device : {&device_, &other}) {
      const utrace_notice notice = device->Next();
      EXPECT_EQ(notice.event, UTRACE_EVENT(SIGNAL_IGN)) << ToString(notice);
      EXPECT_EQ(notice.result, signo);
      EXPECT_EQ(notice.flags, UTRACE_NOTICE_DROPPED);
      const siginfo_t info = InfoOf(notice);
      EXPECT_EQ(info.si_signo, signo);
      EXPECT_EQ(info.si_pid, 0);
      siginfo_t instead = info;
      instead.si_signo = SIGUSR2;
      EXPECT_EQ(device->Answer(Instead(notice, instead)), -EINVAL);
      EXPECT_EQ(device->Answer(AnswerTo(notice, kDrop)), -EINVAL);
      EXPECT_EQ(device->Resume(notice), 0);
    }
  }
  EXPECT_NE(tracee_.Hear(), "");
  EXPECT_EQ(Runs(), 0);
}

// Who wants it queued has it queued for all.
TEST_F(SignalStop, AnIgnoredOneThatAnotherInterceptsIsToldBefore) {
  Device other = Device::Open();
  Arm(UTRACE_EVENT(SIGNAL_IGN));
  const int64_t intercepts =
      other.Attach(tracee_.pid(), UTRACE_EVENT(SIGNAL_IGN), UTRACE_TARGET_INTERCEPT);
  ASSERT_GT(intercepts, 0);
  ASSERT_EQ(kill(tracee_.pid(), SIGWINCH), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL_IGN), SIGWINCH)), 0);
  EXPECT_EQ(other.Resume(other.Next()), 0);
  // As long as it asks for it.
  ASSERT_EQ(other.SetEvents(intercepts, 0, 0), 0);
  tracee_.Tell("epoll");
  ASSERT_TRUE(IsIn(SYS_epoll_wait));
  ASSERT_EQ(kill(tracee_.pid(), SIGWINCH), 0);
  EXPECT_EQ(tracee_.Hear(300), "");
  EXPECT_EQ(device_.Next(0).type, 0u);
}

// A blocked one is queued by the kernel itself: it might be handled by then.
TEST_F(SignalStop, AnIgnoredOneThatWasBlockedIsToldBefore) {
  Do("ignore " + std::to_string(SIGUSR1));
  Do("block " + std::to_string(SIGUSR1));
  Arm(UTRACE_EVENT(SIGNAL_IGN));
  Send(SIGUSR1);
  EXPECT_EQ(device_.Next(0).type, 0u);
  tracee_.Tell("unblock " + std::to_string(SIGUSR1));
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL_IGN), SIGUSR1);
  EXPECT_EQ(notice.flags, 0u);
  EXPECT_EQ(InfoOf(notice).si_pid, getpid());
  EXPECT_EQ(device_.Answer(AnswerTo(notice, kDrop)), 0);
  EXPECT_EQ(tracee_.Hear(), "0");
}

TEST_F(SignalStop, SmokeSigkillEndsTheHoldAtOnceAndIsNeverTold) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENTS_SIGNAL);
  Send(SIGUSR1);
  Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(1'000), SIGKILL);
  EXPECT_EQ(device_.Next().type, UTRACE_NOTICE_GONE);
}

TEST_F(SignalStop, SigkillOfARunningOneIsNeverTold) {
  Arm(UTRACE_EVENTS_SIGNAL);
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(1'000), SIGKILL);
  EXPECT_EQ(device_.Next().type, UTRACE_NOTICE_GONE);
}

// What the kernel made unchangeable nobody is asked about (H-5).
TEST_F(SignalStop, AnImmutableOneIsNotTold) {
  Arm(UTRACE_EVENTS_SIGNAL);
  tracee_.Tell("doom");
  const int status = tracee_.Wait();
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
  EXPECT_EQ(device_.Next().type, UTRACE_NOTICE_GONE);
}

TEST_F(SignalStop, HeldByTwoItGoesOnWhenBothLetGoAndADropStands) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Device other = Device::Open();
  ASSERT_GT(other.Attach(tracee_.pid(), UTRACE_EVENT(SIGNAL)), 0);
  Send(SIGUSR1);
  const utrace_notice first = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  const utrace_notice second = other.Next();
  EXPECT_EQ(second.event, UTRACE_EVENT(SIGNAL)) << ToString(second);
  EXPECT_EQ(device_.Answer(AnswerTo(first, kDrop)), 0);
  usleep(100'000);
  EXPECT_EQ(StateOf(tracee_.pid()), 't');
  EXPECT_EQ(other.Resume(second), 0);
  EXPECT_EQ(Runs(), 0);
}

TEST_F(SignalStop, TheOwnersEndDelivers) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  device_.Close();
  EXPECT_EQ(Runs(), 1);
}

TEST_F(SignalStop, AnAnswerOfTheWrongKindIsRefused) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  siginfo_t info = InfoOf(notice);
  for (const int bad : {0, 65, -1}) {
    info.si_signo = bad;
    EXPECT_EQ(device_.Answer(Instead(notice, info)), -EINVAL) << bad;
  }
  info.si_signo = SIGUSR2;
  utrace_answer both = Instead(notice, info);
  both.action = kDrop;
  EXPECT_EQ(device_.Answer(both), -EINVAL);
  both.action = UTRACE_RESUME;
  both.flags |= UTRACE_ANSWER_SET_RESULT;
  EXPECT_EQ(device_.Answer(both), -EINVAL);
  utrace_answer call = Instead(notice, info);
  call.flags = UTRACE_ANSWER_SET_CALL;
  EXPECT_EQ(device_.Answer(call), -EINVAL);
  utrace_answer stale = AnswerTo(notice, kDrop);
  stale.seq += 2;
  EXPECT_EQ(device_.Answer(stale), -EINVAL);
  EXPECT_EQ(StateOf(tracee_.pid()), 't');
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 1);
  // Nor is one to a signal taken for one to a call.
  ASSERT_EQ(device_.SetEvents(engine_, 0, UTRACE_EVENT(SYSCALL_ENTRY)), 0);
  tracee_.Tell("seen");
  const utrace_notice entry = device_.Next();
  ASSERT_EQ(entry.event, UTRACE_EVENT(SYSCALL_ENTRY)) << ToString(entry);
  EXPECT_EQ(device_.Answer(Instead(entry, info)), -EINVAL);
}

}  // namespace
}  // namespace utrace::test
