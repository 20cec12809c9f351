// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/target.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/libutrace/process_info.h"

namespace utrace {

absl::StatusOr<UniqueFd> OpenTarget(pid_t pid) {
  const std::string attempt = absl::StrCat("trace process ", pid);
  if (pid <= 0) return ErrnoStatus(EINVAL, attempt);
  if (pid == ::getpid())
    return ErrnoStatus(EINVAL, absl::StrCat(attempt, ", which is this tracer"));
  // What is not to be known is for the pidfd to say.
  const ThreadInfo info = ReadThread(pid).value_or(ThreadInfo());
  if (info.tgid > 0 && info.tgid != pid) {
    return ErrnoStatus(EINVAL, absl::StrCat(attempt, ", which is a thread of process ", info.tgid,
                                            " (trace that one, with all its threads)"));
  }
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(pid);
  if (!pidfd.ok()) {
    return ErrnoStatus(ErrnoOf(pidfd.status()), attempt);
  }
  if (info.kernel_thread) {
    return ErrnoStatus(EINVAL,
                       absl::StrCat(attempt, ", which is a kernel thread and makes no calls"));
  }
  return pidfd;
}

}  // namespace utrace
