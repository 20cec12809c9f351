// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/pidfd.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

TEST(Pidfd, SeesTheEndOfItsProcess) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;) ::pause();
  }
  const absl::StatusOr<UniqueFd> pidfd = OpenPidfd(pid);
  ASSERT_TRUE(pidfd.ok()) << pidfd.status();
  EXPECT_FALSE(*WaitForExit(*pidfd, absl::Milliseconds(10)));
  EXPECT_TRUE(SendSignal(*pidfd, SIGKILL).ok());
  EXPECT_TRUE(*WaitForExit(*pidfd, absl::InfiniteDuration()));
  ::waitpid(pid, nullptr, 0);
  EXPECT_EQ(ErrnoOf(SendSignal(*pidfd, SIGKILL)), ESRCH);
}

TEST(Pidfd, ADeadPidIsRefused) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  EXPECT_EQ(ErrnoOf(OpenPidfd(pid).status()), ESRCH);
}

TEST(UniqueFd, MovesAndClosesOnce) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  UniqueFd read_end(fds[0]);
  {
    UniqueFd write_end(fds[1]);
    UniqueFd moved(std::move(write_end));
    EXPECT_FALSE(write_end);
    EXPECT_TRUE(moved);
  }
  char byte;
  EXPECT_EQ(::read(read_end.Get(), &byte, 1), 0) << "the write end is still open";
}

}  // namespace
}  // namespace utrace
