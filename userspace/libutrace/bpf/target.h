// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_TARGET_H_
#define UTRACE_LIBUTRACE_BPF_TARGET_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

// A process that can be traced: not a thread of one, not the kernel's, not ourselves. The error
// says which it is.
absl::StatusOr<UniqueFd> OpenTarget(pid_t pid);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_TARGET_H_
