// SPDX-License-Identifier: Apache-2.0
// Signals, and calls that end with their thread.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/libutrace/bpf/testing/observer_fixture.h"

namespace utrace {
namespace {

using ::testing::IsEmpty;

// getuid() brings this verdict from now on.
void RefuseGetuid(unsigned verdict) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, verdict),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, program};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

void NoCore() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

TEST_F(ObserverTest, DeathEndsABlockedCallWithoutAResult) {
  for (const int signo : {SIGKILL, SIGTERM}) {
    events_.clear();
    Start();
    const pid_t pid = Child([] { ::pause(); });
    ASSERT_TRUE(CollectUntil([](const Event& event) {
      const auto* pending = std::get_if<PendingEvent>(&event.body);
      return pending && pending->nr == SYS_pause;
    }));
    ::kill(pid, signo);
    Collect();
    ::waitpid(pid, nullptr, 0);
    const std::vector<SyscallEvent> pauses = Calls(SYS_pause);
    ASSERT_EQ(pauses.size(), 1u);
    EXPECT_TRUE(pauses[0].no_return);
    EXPECT_TRUE(pauses[0].resumed);
    EXPECT_EQ(WTERMSIG(All<ExitEvent>().at(0).status), signo);
    bool told = false;
    for (const SignalEvent& signal : All<SignalEvent>()) {
      told |= signal.sent && signal.signo == signo && signal.sender_pid == ::getpid() &&
              (signo == SIGKILL || signal.pid == ::getpid());
    }
    EXPECT_TRUE(told) << "who sent signal " << signo << " is not told";
  }
}

TEST_F(ObserverTest, ADeliveredSignalComesWithItsInfo) {
  Start();
  const pid_t pid = Child([] {
    ::signal(SIGUSR1, [](int) {});
    ::kill(::getpid(), SIGUSR1);
  });
  Collect();
  ::waitpid(pid, nullptr, 0);
  const std::vector<SignalEvent> signals = All<SignalEvent>();
  ASSERT_EQ(signals.size(), 1u);
  EXPECT_EQ(signals[0].signo, SIGUSR1);
  EXPECT_EQ(signals[0].code, SI_USER);
  EXPECT_EQ(signals[0].pid, pid);
  EXPECT_TRUE(signals[0].handled);
  EXPECT_FALSE(signals[0].sent);
  EXPECT_EQ(Calls(SYS_rt_sigreturn).size(), 1u);
}

TEST_F(ObserverTest, ASignalThatDumpsCoreIsToldOnceWhenItIsDelivered) {
  Start();
  const pid_t pid = Child([] {
    NoCore();
    ::raise(SIGQUIT);
  });
  Collect();
  ::waitpid(pid, nullptr, 0);
  const std::vector<SignalEvent> signals = All<SignalEvent>();
  ASSERT_EQ(signals.size(), 1u);
  EXPECT_EQ(signals[0].signo, SIGQUIT);
  EXPECT_FALSE(signals[0].sent);
  EXPECT_EQ(signals[0].pid, pid);
}

TEST_F(ObserverTest, ADeadlySignalThatIsTakenOtherwiseIsNotTold) {
  Start();
  const pid_t pid = Child([] {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::kill(::getpid(), SIGTERM);
    ::sigwaitinfo(&set, nullptr);
  });
  Collect();
  ::waitpid(pid, nullptr, 0);
  EXPECT_THAT(All<SignalEvent>(), IsEmpty());
}

TEST_F(ObserverTest, ACallThatSeccompEndsTheProcessInIsToldOnceAndHasNoResult) {
  for (const unsigned verdict : {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD}) {
    events_.clear();
    Start();
    const pid_t pid = Child([verdict] {
      NoCore();
      RefuseGetuid(verdict);
      ::syscall(SYS_getuid);
    });
    Collect();
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(WTERMSIG(status), SIGSYS);
    const std::vector<SyscallEvent> calls = Calls(SYS_getuid);
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_TRUE(calls[0].no_return);
  }
}

TEST_F(ObserverTest, ACallThatSeccompTrapsGoesOn) {
  Start();
  const pid_t pid = Child([] {
    ::signal(SIGSYS, [](int) {});
    RefuseGetuid(SECCOMP_RET_TRAP);
    ::syscall(SYS_getuid);
  });
  Collect();
  ::waitpid(pid, nullptr, 0);
  const std::vector<SyscallEvent> calls = Calls(SYS_getuid);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_FALSE(calls[0].no_return);
}

}  // namespace
}  // namespace utrace
