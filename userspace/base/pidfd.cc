// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/pidfd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "userspace/base/errno_status.h"

namespace utrace {

absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid) {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return LastErrno(absl::StrCat("open pidfd of process ", pid));
  return UniqueFd(static_cast<int>(fd));
}

absl::Status SendSignal(const UniqueFd& pidfd, int signo) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.Get(), signo, nullptr, 0) != 0) {
    return LastErrno(absl::StrCat("send signal ", signo));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> WaitForExit(const UniqueFd& pidfd, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    pollfd poll_fd{};
    poll_fd.fd = pidfd.Get();
    poll_fd.events = POLLIN;
    timespec left = absl::ToTimespec(std::max(absl::ZeroDuration(), deadline - absl::Now()));
    const bool forever = timeout == absl::InfiniteDuration();
    const int n = ::ppoll(&poll_fd, 1, forever ? nullptr : &left, nullptr);
    if (n >= 0) return n > 0;
    if (errno != EINTR) return LastErrno("poll pidfd");
  }
}

}  // namespace utrace
