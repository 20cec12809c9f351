// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/process_info.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

// A child that is killed and reaped at the end.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ == 0) {
      body();
      ::_exit(0);
    }
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t Pid() const { return pid_; }

 private:
  pid_t pid_;
};

void SleepUntil(const std::function<bool()>& there) {
  while (!there()) ::usleep(1000);
}

TEST(ProcessInfo, ANameMayHoldWhatItLikes) {
  Child child([] {
    ::prctl(PR_SET_NAME, "a) R 1 (b");
    for (;;) ::pause();
  });
  SleepUntil([&] { return ReadThread(child.Pid())->comm == "a) R 1 (b"; });
  SleepUntil([&] { return ReadThread(child.Pid())->Asleep(); });
  const ThreadInfo info = *ReadThread(child.Pid());
  EXPECT_EQ(info.tgid, child.Pid());
  EXPECT_EQ(info.ppid, ::getpid());
  EXPECT_EQ(info.uid, ::geteuid());
  EXPECT_EQ(info.tracer, 0);
  EXPECT_FALSE(info.kernel_thread);
  EXPECT_EQ(CallInProgress(child.Pid()), SYS_pause);
}

TEST(ProcessInfo, NamesThePtracer) {
  Child child([] {
    ::ptrace(PTRACE_TRACEME, 0, 0, 0);
    ::raise(SIGSTOP);
  });
  SleepUntil([&] { return ReadThread(child.Pid())->state == 't'; });
  EXPECT_EQ(ReadThread(child.Pid())->tracer, ::getpid());
}

TEST(ProcessInfo, TheDeadAreNotFound) {
  pid_t pid;
  {
    Child child([] {});
    pid = child.Pid();
    SleepUntil([&] { return ReadThread(pid)->state == 'Z'; });
    EXPECT_TRUE(ReadThread(pid)->Dead());
  }
  EXPECT_EQ(ErrnoOf(ReadThread(pid).status()), ESRCH);
  EXPECT_EQ(ErrnoOf(ThreadsOf(pid).status()), ESRCH);
}

TEST(ProcessInfo, ThreadsBelongToTheirProcess) {
  pid_t tid = 0;
  std::thread([&] {
    tid = static_cast<pid_t>(::syscall(SYS_gettid));
    EXPECT_EQ(ReadThread(tid)->tgid, ::getpid());
    EXPECT_THAT(*ThreadsOf(::getpid()), ::testing::Contains(tid));
  }).join();
}

TEST(ProcessInfo, FindsGrandchildren) {
  Child child([] {
    const pid_t parent = ::getpid();
    if (::fork() == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      // It may have been killed before that, and then nobody would end this one.
      if (::getppid() != parent) ::_exit(0);
      for (;;) ::pause();
    }
    for (;;) ::pause();
  });
  SleepUntil([&] { return DescendantsOf(child.Pid()).size() == 1; });
  EXPECT_THAT(DescendantsOf(::getpid()), ::testing::IsSupersetOf(DescendantsOf(child.Pid())));
}

TEST(ProcessInfo, ALongNameIsCompletedFromTheCommandLine) {
  EXPECT_EQ(ProcessName(::getpid(), "x"), "x (" + std::to_string(::getpid()) + ")");
  // This test program's own, which is longer than 15 characters.
  EXPECT_EQ(ProcessName(::getpid(), ReadThread(::getpid())->comm),
            "process_info_test (" + std::to_string(::getpid()) + ")");
  EXPECT_THAT(ExecutableOf(::getpid()), ::testing::EndsWith("/process_info_test"));
}

}  // namespace
}  // namespace utrace
