// SPDX-License-Identifier: Apache-2.0
// Job control: what engines are told of it, and that nobody else sees that they are.
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

constexpr uint32_t kJctl = UTRACE_EVENT(JCTL);

class Jctl : public testing::Test {
 protected:
  void Arm(uint32_t events = kJctl) {
    ASSERT_GT(engine_ = device_.Attach(tracee_.pid(), events, UTRACE_TARGET_GROUP), 0);
  }
  // Two more threads.
  void Grow() {
    for (int i = 0; i < 2; ++i) ASSERT_GT(std::stoi("0" + tracee_.Ask("thread")), 0);
  }
  void Send(int signo) { ASSERT_EQ(kill(tracee_.pid(), signo), 0); }
  // Held there, or told that it will be: CLD_STOPPED or CLD_CONTINUED.
  utrace_notice Told(int type) {
    const utrace_notice notice = device_.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, kJctl) << ToString(notice);
    EXPECT_EQ(notice.result, type) << ToString(notice);
    EXPECT_EQ(notice.flags, 0u) << ToString(notice);
    return notice;
  }
  // By each of so many threads, all of which go on.
  void AllTold(int type, size_t threads) {
    std::set<pid_t> tids;
    for (size_t i = 0; i < threads; ++i) {
      const utrace_notice notice = Told(type);
      EXPECT_EQ(device_.Resume(notice), 0);
      tids.insert(notice.tid);
    }
    EXPECT_EQ(tids.size(), threads);
  }
  bool NothingMore() { return device_.Next(200).type == 0; }
  bool ComesTo(char state) {
    return Eventually([&] { return StateOf(tracee_.pid()) == state; });
  }
  // What the parent is told next: 'stopped SIG', 'continued', or nothing.
  std::string ParentSees(int timeout_ms = 10'000) {
    int status = 0;
    if (!Eventually(
            [&] { return waitpid(tracee_.pid(), &status, WUNTRACED | WCONTINUED | WNOHANG) > 0; },
            timeout_ms)) {
      return "";
    }
    if (WIFCONTINUED(status)) return "continued";
    return (WIFSTOPPED(status) ? "stopped " : "ended ") + std::to_string(status >> 8);
  }
  std::string StoppedBy(int signo) { return "stopped " + std::to_string(signo); }

  Tracee tracee_{{"handler"}};
  Device device_ = Device::Open();
  int64_t engine_ = 0;
};

TEST_F(Jctl, SmokeAStopAndItsEndAreTold) {
  Arm();
  Send(SIGSTOP);
  EXPECT_EQ(device_.Resume(Told(CLD_STOPPED)), 0);
  EXPECT_TRUE(ComesTo('T'));
  EXPECT_EQ(ParentSees(), StoppedBy(SIGSTOP));
  Send(SIGCONT);
  const utrace_notice notice = Told(CLD_CONTINUED);
  EXPECT_EQ(ParentSees(), "continued");
  EXPECT_TRUE(ComesTo('t'));
  tracee_.Tell("seen");
  EXPECT_EQ(tracee_.Hear(200), "");
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_NE(tracee_.Hear(), "");
  EXPECT_TRUE(NothingMore());
  EXPECT_EQ(ParentSees(200), "");
}

// Its parent sees the stop; when it ends the thread is ours, and tells nothing before it is let go.
TEST_F(Jctl, AHoldAtTheStopTakesEffectWhenItEnds) {
  Arm();
  Send(SIGSTOP);
  const utrace_notice stopped = Told(CLD_STOPPED);
  EXPECT_EQ(ParentSees(), StoppedBy(SIGSTOP));
  EXPECT_TRUE(ComesTo('T'));
  user_regs_struct regs{};
  EXPECT_EQ(device_.Regs(engine_, tracee_.pid(), &regs), 0);
  EXPECT_NE(regs.rip, 0u);
  Send(SIGCONT);
  EXPECT_EQ(ParentSees(), "continued");
  EXPECT_TRUE(ComesTo('t'));
  EXPECT_TRUE(NothingMore());
  EXPECT_EQ(device_.Resume(stopped), 0);
  EXPECT_EQ(device_.Resume(Told(CLD_CONTINUED)), 0);
  EXPECT_NE(tracee_.Ask("seen"), "");
}

TEST_F(Jctl, EachThreadTellsAndTheParentSeesOneStop) {
  Grow();
  Arm();
  for (int round = 0; round < 3; ++round) {
    Send(SIGSTOP);
    AllTold(CLD_STOPPED, 3);
    EXPECT_EQ(ParentSees(), StoppedBy(SIGSTOP));
    EXPECT_EQ(ParentSees(200), "");
    Send(SIGCONT);
    AllTold(CLD_CONTINUED, 3);
    EXPECT_EQ(ParentSees(), "continued");
    EXPECT_EQ(ParentSees(200), "");
  }
  EXPECT_TRUE(NothingMore());
}

// The stop is complete though one of three is ours: it counts, and does not run when it is over.
TEST_F(Jctl, AThreadHeldElsewhereCountsInTheStop) {
  Grow();
  Arm(UTRACE_EVENT(SIGNAL));
  ASSERT_EQ(tracee_.Ask("handle " + std::to_string(SIGUSR1)), "0");
  Send(SIGUSR1);
  const utrace_notice held = device_.Next();
  ASSERT_EQ(held.event, UTRACE_EVENT(SIGNAL)) << ToString(held);
  Send(SIGSTOP);
  EXPECT_EQ(ParentSees(), StoppedBy(SIGSTOP));
  EXPECT_EQ(StateOf(tracee_.pid(), held.tid), 't');
  EXPECT_EQ(device_.Resume(held), 0);
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee_.pid(), held.tid) == 'T'; }))
      << "let go in the stop, it stops";
  Send(SIGCONT);
  EXPECT_EQ(ParentSees(), "continued");
  EXPECT_NE(tracee_.Ask("seen"), "");
}

TEST_F(Jctl, WhoComesWhileItIsStoppedIsToldOfTheEnd) {
  Send(SIGSTOP);
  ASSERT_EQ(ParentSees(), StoppedBy(SIGSTOP));
  Arm();
  EXPECT_TRUE(NothingMore());
  Send(SIGCONT);
  EXPECT_EQ(device_.Resume(Told(CLD_CONTINUED)), 0);
  EXPECT_EQ(ParentSees(), "continued");
  EXPECT_NE(tracee_.Ask("seen"), "");
}

TEST_F(Jctl, KilledInTheStopOrAtItsEndItDies) {
  for (const bool at_end : {false, true}) {
    Tracee tracee({"handler"});
    ASSERT_GT(device_.Attach(tracee.pid(), kJctl), 0);
    tracee.Kill(SIGSTOP);
    const utrace_notice stopped = Told(CLD_STOPPED);
    if (at_end) {
      EXPECT_EQ(device_.Resume(stopped), 0);
      tracee.Kill(SIGCONT);
      Told(CLD_CONTINUED);
    }
    tracee.Kill(SIGKILL);
    EXPECT_EQ(tracee.Wait(), SIGKILL) << at_end;
    utrace_notice last = device_.Next();
    EXPECT_EQ(last.type, UTRACE_NOTICE_GONE) << ToString(last);
  }
}

// Between the shell-like parent's process group and that of its job, as job control wants it: the
// terminal's stop works there, and in an orphaned group does nothing, engine or none.
TEST_F(Jctl, ATerminalStopStopsAJobAndNoOrphan) {
  for (const bool orphan : {false, true}) {
    Fork session([&] {
      if (setsid() < 0) return 1;
      Fork job([&] {
        if (!orphan && setpgid(0, 0) != 0) return 2;
        Tracee tracee({"handler"});
        Device device = Device::Open();
        if (device.Attach(tracee.pid(), kJctl) <= 0) return 3;
        tracee.Kill(SIGTSTP);
        const utrace_notice notice = device.Next(orphan ? 500 : 10'000);
        if (orphan) return notice.type == 0 && !tracee.Ask("seen").empty() ? 0 : 4;
        if (notice.event != kJctl || notice.result != CLD_STOPPED) return 5;
        int status = 0;
        if (waitpid(tracee.pid(), &status, WUNTRACED) != tracee.pid()) return 6;
        return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP ? 0 : 7;
      });
      return job.Wait();
    });
    EXPECT_EQ(session.Wait(), 0) << orphan;
  }
}

// A debugger has its stops as ever, and what it does with the thread is told as the stop's end.
TEST_F(Jctl, ADebuggerSeesItsUsualStops) {
  Arm();
  const pid_t pid = tracee_.pid();
  ASSERT_EQ(ptrace(PTRACE_SEIZE, pid, nullptr, nullptr), 0);
  int status = 0;
  Send(SIGSTOP);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status >> 8, SIGSTOP) << "the signal";
  ASSERT_EQ(ptrace(PTRACE_CONT, pid, nullptr, SIGSTOP), 0);
  const utrace_notice stopped = Told(CLD_STOPPED);
  EXPECT_EQ(device_.Resume(stopped), 0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status >> 8, SIGSTOP | (PTRACE_EVENT_STOP << 8)) << "the stop";
  ASSERT_EQ(ptrace(PTRACE_LISTEN, pid, nullptr, nullptr), 0);
  EXPECT_TRUE(NothingMore());
  Send(SIGCONT);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status >> 8, SIGTRAP | (PTRACE_EVENT_STOP << 8)) << "its end";
  ASSERT_EQ(ptrace(PTRACE_CONT, pid, nullptr, 0), 0);
  EXPECT_EQ(device_.Resume(Told(CLD_CONTINUED)), 0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status >> 8, SIGCONT) << "its signal";
  ASSERT_EQ(ptrace(PTRACE_DETACH, pid, nullptr, 0), 0);
  EXPECT_NE(tracee_.Ask("seen"), "");
}

}  // namespace
}  // namespace utrace::test
