// SPDX-License-Identifier: Apache-2.0
// Signals that a controller sends of its own.
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

siginfo_t InfoWith(int signo, int code = SI_QUEUE, int value = 0) {
  siginfo_t info{};
  info.si_signo = signo;
  info.si_code = code;
  info.si_pid = getpid();
  info.si_value.sival_int = value;
  return info;
}

class InjectedSignal : public SignalStop {
 protected:
  int Inject(const siginfo_t& info) { return device_.Inject(engine_, tracee_.pid(), info); }
};

TEST_F(InjectedSignal, SmokeItIsDeliveredAsItSays) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(DEATH));
  EXPECT_EQ(Inject(InfoWith(SIGUSR1, SI_QUEUE, 72)), 0);
  EXPECT_EQ(
      tracee_.Ask("seen").rfind("1 " + std::to_string(SIGUSR1) + " " + std::to_string(SI_QUEUE) +
                                    " " + std::to_string(getpid()) + " 72",
                                0),
      0u);
}

TEST_F(InjectedSignal, ItIsToldAsAnyOther) {
  Arm(UTRACE_EVENT(SIGNAL_CORE));
  siginfo_t info = InfoWith(SIGSEGV, SEGV_MAPERR);
  info.si_addr = reinterpret_cast<void*>(kBad);
  EXPECT_EQ(Inject(info), 0);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL_CORE), SIGSEGV);
  EXPECT_EQ(InfoOf(notice).si_code, SEGV_MAPERR);
  EXPECT_EQ(InfoOf(notice).si_addr, info.si_addr);
  EXPECT_EQ(device_.Answer(AnswerTo(notice, kDrop)), 0);
  EXPECT_EQ(Runs(), 0);
}

TEST_F(InjectedSignal, AHeldThreadTakesItWhenItGoesOn) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(DEATH));
  uint64_t seq = 0;
  ASSERT_TRUE(StopAccepted(device_.Control(engine_, tracee_.pid(), UTRACE_STOP, &seq)));
  tracee_.Tell("seen");
  ASSERT_TRUE(IsHeld());
  EXPECT_EQ(Inject(InfoWith(SIGUSR1)), 0);
  EXPECT_TRUE(IsHeld());
  EXPECT_EQ(device_.Resume(engine_, tracee_.pid(), seq), 0);
  EXPECT_EQ(tracee_.Hear().rfind("1 ", 0), 0u);
}

TEST_F(InjectedSignal, ItBreaksACallThatBlocks) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(DEATH));
  tracee_.Tell("pause");
  ASSERT_TRUE(IsIn(SYS_pause));
  EXPECT_EQ(Inject(InfoWith(SIGUSR1)), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EINTR));
}

// Only the thread it is for.
TEST_F(InjectedSignal, ABlockedOneIsNobodyElses) {
  Handle(SIGUSR1);
  Do("block " + std::to_string(SIGUSR1));
  ASSERT_GT(std::stoi("0" + tracee_.Ask("thread")), 0);
  Arm(UTRACE_EVENT(DEATH));
  EXPECT_EQ(Inject(InfoWith(SIGUSR1)), 0);
  EXPECT_EQ(Runs(), 0);
}

TEST_F(InjectedSignal, SigkillKills) {
  Arm(UTRACE_EVENT(DEATH));
  EXPECT_EQ(Inject(InfoWith(SIGKILL)), 0);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
}

TEST_F(InjectedSignal, WhatIsNoneIsRefused) {
  Arm(UTRACE_EVENT(DEATH));
  for (const int signo : {0, -1, 65}) EXPECT_EQ(Inject(InfoWith(signo)), -EINVAL) << signo;
  EXPECT_EQ(Runs(), 0);
}

TEST_F(InjectedSignal, AThreadOfNoEngineIsNotSentAny) {
  Arm(UTRACE_EVENT(DEATH));
  EXPECT_EQ(device_.Inject(engine_, getpid(), InfoWith(SIGTERM)), -ESRCH);
  ASSERT_EQ(device_.Control(engine_, 0, UTRACE_DETACH), 0);
  EXPECT_EQ(Inject(InfoWith(SIGTERM)), -ESRCH);
  EXPECT_EQ(Runs(), 0);
}

// What its own namespace could not do to it, also not by a code that only the kernel has (H-16).
TEST_F(InjectedSignal, AnInitIsNeitherKilledNorStopped) {
  Fork space([&] {
    if (unshare(CLONE_NEWPID) != 0) return 1;
    Tracee init({"handler"});
    Device device = Device::Open();
    const int64_t engine = device.Attach(init.pid(), UTRACE_EVENT(DEATH));
    if (engine <= 0) return 2;
    for (const int signo : {SIGKILL, SIGSTOP})
      if (device.Inject(engine, init.pid(), InfoWith(signo, SI_KERNEL)) != -EPERM) return 3;
    return init.Ask("seen").rfind("0 ", 0) == 0 ? 0 : 4;
  });
  EXPECT_EQ(space.Wait(), 0);
}

}  // namespace
}  // namespace utrace::test
