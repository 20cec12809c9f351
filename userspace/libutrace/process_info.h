// SPDX-License-Identifier: Apache-2.0
// What /proc tells of threads and processes: for messages and for choosing targets, never for
// rights, since all of it may have changed by the time it is read.
#ifndef UTRACE_LIBUTRACE_PROCESS_INFO_H_
#define UTRACE_LIBUTRACE_PROCESS_INFO_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace utrace {

struct ThreadInfo {
  pid_t tid = 0;
  pid_t tgid = 0;
  pid_t ppid = 0;
  pid_t tracer = 0;  // its ptracer, 0 if none
  uid_t uid = 0;     // effective
  char state = '?';  // as in ps: R S D T t Z X
  bool kernel_thread = false;
  uint64_t start_ticks = 0;  // tells a reused number from the same thread
  std::string comm;

  // In a call or on its way into the kernel, and not coming by without outside help.
  bool Asleep() const { return state == 'S' || state == 'D'; }
  bool Dead() const { return state == 'Z' || state == 'X'; }
};

// ESRCH if there is none.
absl::StatusOr<ThreadInfo> ReadThread(pid_t tid);

// Ascending. ESRCH if there is no such process.
absl::StatusOr<std::vector<pid_t>> ThreadsOf(pid_t pid);

// All processes below `pid` just now, without itself.
std::vector<pid_t> DescendantsOf(pid_t pid);

// The number of the call that the thread sleeps in; -1 if it runs, or sleeps outside of any, or
// this may not be known.
int CallInProgress(pid_t tid);

// Empty if not to be known.
std::string ExecutableOf(pid_t pid);

// "nginx (812)"; a process named by its first argument if that tells more than its comm, which the
// kernel cuts at 15 characters.
std::string ProcessName(pid_t pid, absl::string_view comm);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PROCESS_INFO_H_
