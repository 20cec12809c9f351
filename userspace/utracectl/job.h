// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_UTRACECTL_JOB_H_
#define UTRACE_UTRACECTL_JOB_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

// A child in a process group of its own, as a shell would have it: Ctrl-C while it is held is for
// us, not for it; once it runs it has the terminal, if we have one to give.
class Job {
 public:
  // `child` has not run its program yet.
  explicit Job(pid_t child);

  void GiveTerminal();

  // Whether it has ended, without reaping it.
  bool Ended() const;

  // Its wait status. While it is stopped by Ctrl-Z, so are we.
  absl::StatusOr<int> Wait();

 private:
  void SetForeground(pid_t group);

  pid_t child_;
  UniqueFd terminal_;  // only if we are in its foreground
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_JOB_H_
