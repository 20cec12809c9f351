// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/observer.h"

#include <sched.h>
#include <sys/wait.h>

#include <csignal>
#include <map>
#include <set>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/bpf/testing/observer_fixture.h"

namespace utrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(ObserverTest, ACommandIsSeenFromItsExecToItsExit) {
  TraceCommand({"sh", "-c", "exit 3"});
  ASSERT_THAT(events_, Not(IsEmpty()));
  const auto* exec = std::get_if<ExecEvent>(&events_.front().body);
  ASSERT_NE(exec, nullptr) << "the first event must be the command's exec";
  EXPECT_THAT(exec->filename, ::testing::EndsWith("/sh"));
  EXPECT_THAT(exec->argv, ElementsAre("sh", "-c", "exit 3"));
  EXPECT_EQ(exec->nr, SYS_execve);
  EXPECT_EQ(exec->argc, 3u);
  const auto* exit = std::get_if<ExitEvent>(&events_.back().body);
  ASSERT_NE(exit, nullptr) << "the last event must be the command's exit";
  EXPECT_EQ(WEXITSTATUS(exit->status), 3);
  EXPECT_TRUE(exit->group);
  EXPECT_EQ(WEXITSTATUS(wait_status_), 3);
  const std::vector<SyscallEvent> exit_calls = Calls(SYS_exit_group);
  ASSERT_EQ(exit_calls.size(), 1u);
  EXPECT_TRUE(exit_calls[0].no_return);
  EXPECT_EQ(exit_calls[0].args[0], 3u);
  EXPECT_EQ(stream_->GetTotals().lost, 0u);
  EXPECT_EQ(stream_->GetTotals().events, events_.size());
}

TEST_F(ObserverTest, ChildrenAreFollowedFromTheirFirstInstruction) {
  TraceCommand({"sh", "-c", "/bin/true; /bin/true"});
  std::map<pid_t, std::vector<const Event*>> by_tid;
  for (const Event& event : events_) by_tid[event.tid].push_back(&event);
  int children = 0;
  for (const ForkEvent& fork : All<ForkEvent>()) {
    EXPECT_TRUE(fork.followed);
    EXPECT_FALSE(fork.thread);
    const std::vector<const Event*>& theirs = by_tid[fork.child_tid];
    ASSERT_FALSE(theirs.empty());
    EXPECT_EQ(theirs.front()->seq, 0u);
    EXPECT_TRUE(std::holds_alternative<ExitEvent>(theirs.back()->body));
    // Its own way out of fork is not a call it made.
    for (const long nr : {SYS_clone, SYS_fork, SYS_vfork, SYS_clone3}) {
      EXPECT_THAT(Calls(nr, fork.child_tid), IsEmpty());
    }
    ++children;
  }
  EXPECT_GE(children, 1);
}

TEST_F(ObserverTest, WithoutFollowChildrenAreNotTraced) {
  options_.follow = false;
  TraceCommand({"sh", "-c", "/bin/true; /bin/true"});
  ASSERT_THAT(All<ForkEvent>(), Not(IsEmpty()));
  for (const Event& event : events_) EXPECT_EQ(event.tid, command_);
  for (const ForkEvent& fork : All<ForkEvent>()) EXPECT_FALSE(fork.followed);
}

TEST_F(ObserverTest, MemoryIsCopiedByTheRules) {
  Start();
  options_.data_limit = 32;
  const pid_t pid = Child([] {
    int fds[2];
    if (::syscall(SYS_pipe2, fds, 0) != 0) ::_exit(1);
    const std::string text(40, 'x');
    if (::write(fds[1], text.data(), text.size()) != 40) ::_exit(1);
    char buffer[64];
    if (::read(fds[0], buffer, 5) != 5) ::_exit(1);
    ::syscall(SYS_rename, "/nonexistent/from", "/nonexistent/to");
    ::syscall(SYS_openat, AT_FDCWD, 8, 0);
    // On the stack, as the program is looked up first: the kernel never reads these, and what
    // nobody has touched is not there to be copied.
    char one[] = "one";
    char two[] = "two";
    char* argv[] = {one, two, nullptr};
    ::execve("/nonexistent/program", argv, environ);
  });
  Collect();
  ::waitpid(pid, nullptr, 0);

  const std::vector<SyscallEvent> pipes = Calls(SYS_pipe2);
  ASSERT_EQ(pipes.size(), 1u);
  ASSERT_EQ(pipes[0].payloads.size(), 1u);
  EXPECT_EQ(pipes[0].payloads[0].bytes.size(), 8u);

  const std::vector<SyscallEvent> writes = Calls(SYS_write);
  ASSERT_EQ(writes.size(), 1u);
  ASSERT_EQ(writes[0].payloads.size(), 1u);
  EXPECT_EQ(writes[0].payloads[0].bytes, std::string(32, 'x'));
  EXPECT_TRUE(writes[0].payloads[0].truncated);
  EXPECT_EQ(writes[0].ret, 40);

  const std::vector<SyscallEvent> reads = Calls(SYS_read);
  ASSERT_EQ(reads.size(), 2u) << "the one that waited for us, and its own";
  EXPECT_EQ(reads[1].payloads[0].bytes, "xxxxx");
  EXPECT_FALSE(reads[1].payloads[0].truncated);

  const std::vector<SyscallEvent> renames = Calls(SYS_rename);
  ASSERT_EQ(renames.size(), 1u);
  ASSERT_EQ(renames[0].payloads.size(), 2u);
  EXPECT_EQ(renames[0].payloads[0].bytes, "/nonexistent/from");
  EXPECT_EQ(renames[0].payloads[1].bytes, "/nonexistent/to");
  EXPECT_EQ(renames[0].ret, -ENOENT);

  const std::vector<SyscallEvent> opens = Calls(SYS_openat);
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_TRUE(opens[0].payloads[0].fault);
  EXPECT_EQ(opens[0].ret, -EFAULT);

  const std::vector<SyscallEvent> execs = Calls(SYS_execve);
  ASSERT_EQ(execs.size(), 1u);
  ASSERT_EQ(execs[0].payloads.size(), 2u);
  EXPECT_EQ(execs[0].payloads[0].bytes, "/nonexistent/program");
  EXPECT_EQ(execs[0].payloads[1].bytes, std::string("one\0two\0", 8));
}

TEST_F(ObserverTest, StringsAreCutAtExactlyTheLimit) {
  options_.path_limit = 8;
  Start();
  const pid_t pid = Child([] { ::syscall(SYS_rename, "/1234567", "/12345678"); });
  Collect();
  ::waitpid(pid, nullptr, 0);
  const std::vector<SyscallEvent> renames = Calls(SYS_rename);
  ASSERT_EQ(renames.size(), 1u);
  EXPECT_EQ(renames[0].payloads[0].bytes, "/1234567");
  EXPECT_FALSE(renames[0].payloads[0].truncated);
  EXPECT_EQ(renames[0].payloads[1].bytes, "/1234567");
  EXPECT_TRUE(renames[0].payloads[1].truncated);
}

TEST_F(ObserverTest, ACallInProgressIsToldAndEndsResumed) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  Start();
  const pid_t pid = ::fork();
  if (pid == 0) {
    char byte;
    ::_exit(::read(fds[0], &byte, 1) == 1 ? 0 : 1);
  }
  ::usleep(20000);
  ASSERT_TRUE(observer_->AddProcess(pid).ok());
  const absl::Time begin = absl::Now();
  ASSERT_TRUE(CollectUntil(
      [](const Event& event) { return std::holds_alternative<PendingEvent>(event.body); }));
  EXPECT_LT(absl::Now() - begin, absl::Milliseconds(150)) << "must be told at once";
  const PendingEvent pending = All<PendingEvent>()[0];
  EXPECT_EQ(pending.nr, SYS_read);
  EXPECT_EQ(pending.args[0], static_cast<uint64_t>(fds[0]));
  // Many more scans find it.
  const absl::Time end = absl::Now() + absl::Milliseconds(500);
  while (absl::Now() < end) TakeOne(absl::Milliseconds(20));
  ASSERT_EQ(::write(fds[1], "x", 1), 1);
  Collect();
  ::waitpid(pid, nullptr, 0);
  EXPECT_EQ(All<PendingEvent>().size(), 1u) << "once per call";
  const std::vector<SyscallEvent> reads = Calls(SYS_read);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_TRUE(reads[0].resumed);
  EXPECT_EQ(reads[0].ret, 1);
  EXPECT_FALSE(Calls(SYS_exit_group).at(0).resumed);
}

TEST_F(ObserverTest, ALongCallIsToldAfterAWhile) {
  Start();
  const pid_t pid = Child([] { ::usleep(600000); });
  ASSERT_TRUE(CollectUntil([](const Event& event) {
    const auto* pending = std::get_if<PendingEvent>(&event.body);
    return pending && pending->nr != SYS_read;
  }));
  Collect();
  ::waitpid(pid, nullptr, 0);
  const std::vector<SyscallEvent> sleeps = Calls(SYS_clock_nanosleep);
  ASSERT_EQ(sleeps.size(), 1u);
  EXPECT_TRUE(sleeps[0].resumed);
}

TEST_F(ObserverTest, AttachingMissesNoThreadThatIsBeingBorn) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;) {
      std::vector<std::thread> threads;
      for (int i = 0; i < 16; ++i) {
        threads.emplace_back([] { ::syscall(SYS_getppid); });
      }
      for (std::thread& thread : threads) thread.join();
    }
  }
  ::usleep(50000);
  Start();
  ASSERT_TRUE(observer_->AddProcess(pid).ok());
  int births = 0;
  ASSERT_TRUE(CollectUntil([&births](const Event& event) {
    return std::holds_alternative<ForkEvent>(event.body) && ++births == 64;
  }));
  ::kill(pid, SIGKILL);
  Collect();
  ::waitpid(pid, nullptr, 0);
  EXPECT_EQ(stream_->GetTotals().lost, 0u);
  // Every thread's birth that we saw is followed by its getppid, unless the kill came first.
  std::map<pid_t, int> born;
  for (const ForkEvent& fork : All<ForkEvent>()) {
    EXPECT_TRUE(fork.thread);
    EXPECT_TRUE(fork.followed);
    ++born[fork.child_tid];
  }
  EXPECT_THAT(born, Not(IsEmpty()));
  size_t silent = 0;
  for (const auto& [tid, times] : born) silent += All<ExitEvent>(tid).size() == 0;
  EXPECT_EQ(silent, 0u);
  EXPECT_EQ(observer_->LiveThreads(), 0u);
}

TEST_F(ObserverTest, ExecByAnotherThreadKeepsItsNumbers) {
  Start();
  const pid_t pid = Child([] {
    std::thread other([] {
      ::syscall(SYS_getppid);
      ::execl("/bin/true", "true", nullptr);
    });
    other.join();
  });
  Collect();
  ::waitpid(pid, nullptr, 0);
  const std::vector<ExecEvent> execs = All<ExecEvent>();
  ASSERT_EQ(execs.size(), 1u);
  EXPECT_NE(execs[0].old_tid, pid);
  EXPECT_EQ(stream_->GetTotals().lost, 0u);
  EXPECT_EQ(observer_->LiveThreads(), 0u);
}

// Its records lie in the rings of all CPUs.
TEST_F(ObserverTest, AThreadThatGoesFromCpuToCpuKeepsItsOrder) {
  const int cpus = static_cast<int>(std::thread::hardware_concurrency());
  if (cpus < 2) GTEST_SKIP() << "one CPU";
  Start();
  constexpr int kMoves = 2000;
  const pid_t pid = Child([cpus] {
    for (int i = 0; i < kMoves; ++i) {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(i % cpus, &set);
      ::sched_setaffinity(0, sizeof(set), &set);
      ::syscall(SYS_getppid);
    }
  });
  Collect();
  ::waitpid(pid, nullptr, 0);
  EXPECT_THAT(All<LostEvent>(), IsEmpty());
  EXPECT_EQ(stream_->GetTotals().lost, 0u);
  int moves = 0;
  for (const SyscallEvent& call : All<SyscallEvent>(pid)) moves += call.nr == SYS_sched_setaffinity;
  EXPECT_EQ(moves, kMoves);
  std::set<uint16_t> seen;
  for (const Event& event : events_) seen.insert(event.cpu);
  EXPECT_GT(seen.size(), 1u);
}

TEST_F(ObserverTest, LossIsCountedAndShownAtItsPlace) {
  options_.ring_bytes = 1 << 15;
  Start();
  constexpr uint64_t kRounds = 20000;
  const pid_t pid = Child([] {
    for (uint64_t i = 0; i < kRounds; ++i) ::syscall(SYS_getppid);
    // Until there is room again, so that a record comes after the gap.
    ::usleep(1500000);
  });
  // The ring is full long before this.
  ::usleep(500000);
  Collect();
  ::waitpid(pid, nullptr, 0);
  uint64_t lost = 0;
  for (const LostEvent& event : All<LostEvent>()) lost += event.count;
  EXPECT_THAT(All<LostEvent>(pid), Not(IsEmpty())) << "no gap in the thread's own numbers";
  EXPECT_GT(lost, kRounds / 2);
  EXPECT_EQ(stream_->GetTotals().lost, lost);
  // The read that waited, getppids, the sleep, exit_group, the exit.
  EXPECT_EQ(stream_->GetTotals().events - All<PendingEvent>().size() + lost, kRounds + 4);
}

TEST_F(ObserverTest, WhatCannotBeTracedIsRefusedWithTheReason) {
  Start();
  EXPECT_THAT(std::string(observer_->AddProcess(::getpid()).message()),
              ::testing::HasSubstr("this tracer"));
  EXPECT_THAT(std::string(observer_->AddProcess(2).message()),
              ::testing::HasSubstr("kernel thread"));
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(dead), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(ErrnoOf(observer_->AddProcess(dead)), ESRCH) << "a zombie";
  ::waitpid(dead, nullptr, 0);
  EXPECT_EQ(ErrnoOf(observer_->AddProcess(dead)), ESRCH) << "a pid of nobody";
}

}  // namespace
}  // namespace utrace
