// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/target.h"

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"

namespace utrace {
namespace {

// PF_KTHREAD of the kernel's linux/sched.h, as /proc shows it.
constexpr uint64_t kPfKthread = 0x00200000;

// The value of "<name>:\t<number>" in /proc/PID/status; -1 if there is none.
int64_t StatusField(pid_t pid, absl::string_view name) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int64_t value = 0;
    if (absl::ConsumePrefix(&rest, name) && absl::ConsumePrefix(&rest, ":\t") &&
        absl::SimpleAtoi(rest, &value)) {
      return value;
    }
  }
  return -1;
}

bool IsKernelThread(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string stat((std::istreambuf_iterator<char>(file)), {});
  // The name may hold anything, also ")"; the fields after its end are plain: state, ppid, pgrp,
  // session, tty_nr, tpgid, flags.
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(stat.rfind(')') + 1), ' ', absl::SkipEmpty());
  uint64_t flags = 0;
  return fields.size() > 6 && absl::SimpleAtoi(fields[6], &flags) && (flags & kPfKthread);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenTarget(pid_t pid) {
  const std::string attempt = absl::StrCat("trace process ", pid);
  if (pid <= 0) return ErrnoStatus(EINVAL, attempt);
  if (pid == ::getpid())
    return ErrnoStatus(EINVAL, absl::StrCat(attempt, ", which is this tracer"));
  const int64_t tgid = StatusField(pid, "Tgid");
  if (tgid > 0 && tgid != pid) {
    return ErrnoStatus(EINVAL, absl::StrCat(attempt, ", which is a thread of process ", tgid,
                                            " (trace that one, with all its threads)"));
  }
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(pid);
  if (!pidfd.ok()) {
    return ErrnoStatus(ErrnoOf(pidfd.status()), attempt);
  }
  if (IsKernelThread(pid)) {
    return ErrnoStatus(EINVAL,
                       absl::StrCat(attempt, ", which is a kernel thread and makes no calls"));
  }
  return pidfd;
}

}  // namespace utrace
