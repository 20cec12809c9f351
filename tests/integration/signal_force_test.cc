// SPDX-License-Identifier: Apache-2.0
// What an engine forces at a signal, whatever the program made of it: the end, a core dump, a stop.
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

constexpr uint32_t kEnd = UTRACE_SIGNAL_TERM;
constexpr uint32_t kCore = UTRACE_SIGNAL_CORE;
constexpr uint32_t kStop = UTRACE_SIGNAL_STOP;
constexpr uint32_t kStopUnlessOrphaned = UTRACE_SIGNAL_TSTP;
constexpr uint32_t kGoOn = UTRACE_RESUME;

// A core of the tracee would go to a folder of our own.
class ForcedSignal : public SignalStop {
 protected:
  ForcedSignal() {
    std::getline(std::ifstream(kPattern), pattern_);
    std::ofstream(kPattern) << folder_.path() << "/core";
    const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
    prlimit(tracee_.pid(), RLIMIT_CORE, &all, nullptr);
  }
  ~ForcedSignal() override { std::ofstream(kPattern) << pattern_; }
  utrace_notice SentAndHeld(int signo = SIGUSR1, uint32_t event = UTRACE_EVENT(SIGNAL)) {
    Send(signo);
    return Held(event, signo);
  }
  int Answer(const utrace_notice& notice, uint32_t verdict) {
    return device_.Answer(AnswerTo(notice, verdict | kGoOn));
  }
  // Its last words: "ended SIG" or "core SIG", as its parent sees them, and there is a core or
  // none.
  std::string Ends() {
    const int status = tracee_.Wait();
    if (!WIFSIGNALED(status)) return "status " + std::to_string(status);
    EXPECT_EQ(std::filesystem::is_empty(folder_.path()), !WCOREDUMP(status));
    return (WCOREDUMP(status) ? "core " : "ended ") + std::to_string(WTERMSIG(status));
  }

 private:
  static constexpr const char* kPattern = "/proc/sys/kernel/core_pattern";
  std::string pattern_;
  const TempFolder folder_;
};

std::string Ended(int signo) { return "ended " + std::to_string(signo); }
std::string Core(int signo) { return "core " + std::to_string(signo); }

TEST_F(ForcedSignal, SmokeTheEndComesThoughItIsHandled) {
  Handle(SIGUSR1);
  ASSERT_GT(std::stoi("0" + tracee_.Ask("thread")), 0);
  Arm(UTRACE_EVENT(SIGNAL));
  EXPECT_EQ(Answer(SentAndHeld(), kEnd), 0);
  EXPECT_EQ(Ends(), Ended(SIGUSR1));
}

TEST_F(ForcedSignal, TheEndComesThoughItIsIgnored) {
  Do("ignore " + std::to_string(SIGUSR1));
  Arm(UTRACE_EVENT(SIGNAL_IGN), UTRACE_TARGET_INTERCEPT);
  EXPECT_EQ(Answer(SentAndHeld(SIGUSR1, UTRACE_EVENT(SIGNAL_IGN)), kEnd), 0);
  EXPECT_EQ(Ends(), Ended(SIGUSR1));
}

TEST_F(ForcedSignal, TheEndIsWithoutACoreThoughByDefaultThereWouldBeOne) {
  Arm(UTRACE_EVENT(SIGNAL_CORE));
  EXPECT_EQ(Answer(SentAndHeld(SIGQUIT, UTRACE_EVENT(SIGNAL_CORE)), kEnd), 0);
  EXPECT_EQ(Ends(), Ended(SIGQUIT));
}

// So that the test above would see one.
TEST_F(ForcedSignal, DeliveredItDumpsCoreByDefault) {
  Arm(UTRACE_EVENT(SIGNAL_CORE));
  EXPECT_EQ(device_.Resume(SentAndHeld(SIGQUIT, UTRACE_EVENT(SIGNAL_CORE))), 0);
  EXPECT_EQ(Ends(), Core(SIGQUIT));
}

TEST_F(ForcedSignal, SmokeACoreIsDumpedThoughItIsHandledAndOfNoSuchKind) {
  Handle(SIGUSR1);
  ASSERT_GT(std::stoi("0" + tracee_.Ask("thread")), 0);
  Arm(UTRACE_EVENT(SIGNAL));
  EXPECT_EQ(Answer(SentAndHeld(), kCore), 0);
  EXPECT_EQ(Ends(), Core(SIGUSR1));
}

TEST_F(ForcedSignal, TheEndIsByTheNumberThatIsPutInItsPlace) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  const utrace_notice notice = SentAndHeld();
  siginfo_t info = InfoOf(notice);
  info.si_signo = SIGUSR2;
  utrace_answer answer = Instead(notice, info);
  answer.action |= kEnd;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(Ends(), Ended(SIGUSR2));
}

// As at any other end, the last hold comes before it begins.
TEST_F(ForcedSignal, TheEndIsToldAsOfThatSignal) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL) | UTRACE_EVENT(EXIT));
  EXPECT_EQ(Answer(SentAndHeld(), kEnd), 0);
  const utrace_notice exit = device_.Next();
  EXPECT_EQ(exit.event, UTRACE_EVENT(EXIT)) << ToString(exit);
  EXPECT_EQ(exit.result, SIGUSR1);
  EXPECT_EQ(device_.Resume(exit), 0);
  EXPECT_EQ(Ends(), Ended(SIGUSR1));
}

// Whoever decided it is gone by the time that it comes to be.
TEST_F(ForcedSignal, TheVerdictOutlivesItsEngine) {
  Handle(SIGUSR1);
  const auto detach = static_cast<uint32_t>(UTRACE_DETACH);
  Arm(UTRACE_EVENT(SIGNAL));
  EXPECT_EQ(device_.Answer(AnswerTo(SentAndHeld(), detach | kStop)), 0);
  EXPECT_EQ(StoppedBy(), SIGUSR1);
  tracee_.Kill(SIGCONT);
  EXPECT_EQ(Runs(), 0);
  Arm(UTRACE_EVENT(SIGNAL));
  EXPECT_EQ(device_.Answer(AnswerTo(SentAndHeld(), detach | kEnd)), 0);
  EXPECT_EQ(Ends(), Ended(SIGUSR1));
}

TEST_F(ForcedSignal, SmokeItStopsThoughItIsHandled) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Answer(SentAndHeld(), kStop), 0);
    EXPECT_EQ(StoppedBy(), SIGUSR1);
    EXPECT_EQ(StateOf(tracee_.pid()), 'T');
    tracee_.Kill(SIGCONT);
    EXPECT_EQ(Runs(), 0);
  }
  EXPECT_EQ(device_.Resume(SentAndHeld()), 0);
  EXPECT_EQ(Runs(), 1);
}

// As the kernel's own: in a group whose leader's parent is of another session nobody would let it
// go on.
TEST_F(ForcedSignal, AStopAsOfATerminalIsNothingInAnOrphanedGroup) {
  Handle(SIGUSR1);
  Do("group");
  Arm(UTRACE_EVENT(SIGNAL));
  EXPECT_EQ(Answer(SentAndHeld(), kStopUnlessOrphaned), 0);
  EXPECT_EQ(StoppedBy(), SIGUSR1);
  tracee_.Kill(SIGCONT);
  EXPECT_EQ(Runs(), 0);

  Tracee orphan({"actor"});
  Device device = Device::Open();
  const pid_t pid = orphan.pid();
  ASSERT_EQ(orphan.Ask("call " + std::to_string(SYS_setsid)), std::to_string(pid));
  ASSERT_GT(device.Attach(pid, UTRACE_EVENT(SIGNAL_TERM)), 0);
  ASSERT_EQ(kill(pid, SIGUSR1), 0);
  const utrace_notice notice = device.Next();
  ASSERT_EQ(notice.event, UTRACE_EVENT(SIGNAL_TERM)) << ToString(notice);
  EXPECT_EQ(device.Answer(AnswerTo(notice, kStopUnlessOrphaned | kGoOn)), 0);
  EXPECT_EQ(orphan.Ask("call " + std::to_string(SYS_getpid)), std::to_string(pid));
}

TEST_F(ForcedSignal, AStopIsTakenBackBySigcontWhileHeld) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  const utrace_notice notice = SentAndHeld();
  tracee_.Kill(SIGCONT);
  EXPECT_EQ(Answer(notice, kStop), 0);
  EXPECT_EQ(Runs(), 0);
}

TEST_F(ForcedSignal, AtAFaultItEndsOrDumpsCore) {
  for (const uint32_t verdict : {kEnd, kCore}) {
    Tracee tracee({"handler"});
    const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
    ASSERT_EQ(prlimit(tracee.pid(), RLIMIT_CORE, &all, nullptr), 0);
    ASSERT_EQ(tracee.Ask("handle " + std::to_string(SIGSEGV)), "0");
    ASSERT_GT(device_.Attach(tracee.pid(), UTRACE_EVENT(SIGNAL)), 0);
    tracee.Tell("fault " + std::to_string(kBad));
    const utrace_notice notice = device_.Next();
    ASSERT_EQ(notice.event, UTRACE_EVENT(SIGNAL)) << ToString(notice);
    EXPECT_EQ(Answer(notice, verdict), 0);
    const int status = tracee.Wait();
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    EXPECT_EQ(WTERMSIG(status), SIGSEGV);
    EXPECT_EQ(static_cast<bool>(WCOREDUMP(status)), verdict == kCore);
    EXPECT_EQ(device_.Next().type, UTRACE_NOTICE_GONE);
  }
}

// The fault is answered by the stop; the instruction faults again when it goes on.
TEST_F(ForcedSignal, AtAFaultItStops) {
  Handle(SIGSEGV);
  Arm(UTRACE_EVENT(SIGNAL));
  tracee_.Tell("fault " + std::to_string(kBad));
  EXPECT_EQ(Answer(Held(UTRACE_EVENT(SIGNAL), SIGSEGV), kStop), 0);
  EXPECT_EQ(StoppedBy(), SIGSEGV);
  tracee_.Kill(SIGCONT);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL), SIGSEGV)), 0);
  EXPECT_EQ(tracee_.Hear(), "0");
  EXPECT_EQ(Runs(), 1);
}

// A debugger that does not have the stop leaves nothing of it to the next one.
TEST_F(ForcedSignal, AStopThatADebuggerDropsIsForgotten) {
  const pid_t pid = tracee_.pid();
  int status = 0;
  Handle(SIGUSR1);
  ASSERT_EQ(ptrace(PTRACE_SEIZE, pid, nullptr, nullptr), 0);
  Arm(UTRACE_EVENT(SIGNAL));
  EXPECT_EQ(Answer(SentAndHeld(), kStop), 0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status >> 8, SIGSTOP);
  ASSERT_EQ(ptrace(PTRACE_CONT, pid, nullptr, 0), 0);
  EXPECT_EQ(Runs(), 0);
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(ptrace(PTRACE_CONT, pid, nullptr, SIGSTOP), 0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status >> 8, SIGSTOP | (PTRACE_EVENT_STOP << 8));
}

// Nobody kills an init by a signal that it has a handler for (H-16).
TEST_F(ForcedSignal, NothingIsForcedOnAnInit) {
  Fork space([&] {
    if (unshare(CLONE_NEWPID) != 0) return 1;
    Tracee init({"handler"});
    Device device = Device::Open();
    if (init.Ask("handle " + std::to_string(SIGUSR1)) != "0") return 2;
    if (device.Attach(init.pid(), UTRACE_EVENT(SIGNAL)) <= 0) return 3;
    init.Kill(SIGUSR1);
    const utrace_notice notice = device.Next();
    if (notice.event != UTRACE_EVENT(SIGNAL)) return 4;
    for (const uint32_t verdict : {kEnd, kCore, kStop})
      if (device.Answer(AnswerTo(notice, verdict | kGoOn)) != -EPERM) return 5;
    if (device.Resume(notice) != 0) return 6;
    return init.Ask("seen").rfind("1 ", 0) == 0 ? 0 : 7;
  });
  EXPECT_EQ(space.Wait(), 0);
}

TEST_F(ForcedSignal, ElsewhereThereIsNothingToForce) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  const utrace_notice notice = SentAndHeld();
  for (const uint32_t unknown : {0x60u, 0xf0u})
    EXPECT_EQ(Answer(notice, unknown), -EINVAL) << unknown;
  ASSERT_EQ(device_.SetEvents(engine_, 0, UTRACE_EVENT(SYSCALL_ENTRY)), 0);
  EXPECT_EQ(device_.Resume(notice), 0);
  tracee_.Tell("seen");
  const utrace_notice entry = device_.Next();
  ASSERT_EQ(entry.event, UTRACE_EVENT(SYSCALL_ENTRY)) << ToString(entry);
  for (const uint32_t verdict : {kEnd, kCore, kStop})
    EXPECT_EQ(Answer(entry, verdict), -EINVAL) << verdict;
}

}  // namespace
}  // namespace utrace::test
