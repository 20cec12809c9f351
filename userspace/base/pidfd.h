// SPDX-License-Identifier: Apache-2.0
// Processes by descriptor: a number may be another process by the time it is used, a pidfd never.
#ifndef UTRACE_BASE_PIDFD_H_
#define UTRACE_BASE_PIDFD_H_

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

// Of a process: pid must be that of its first thread.
absl::StatusOr<UniqueFd> OpenPidfd(pid_t pid);

absl::Status SendSignal(const UniqueFd& pidfd, int signo);

// Whether the process has ended, waiting for it up to `timeout` (also a zombie counts as ended).
absl::StatusOr<bool> WaitForExit(const UniqueFd& pidfd, absl::Duration timeout);

}  // namespace utrace

#endif  // UTRACE_BASE_PIDFD_H_
