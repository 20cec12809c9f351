// SPDX-License-Identifier: Apache-2.0
// The stacks of a process's threads, from the snapshot to the names.
#ifndef UTRACE_UTRACECTL_STACKS_H_
#define UTRACE_UTRACECTL_STACKS_H_

#include <sys/types.h>

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "userspace/libutrace/engine.h"
#include "userspace/symbols/stack_view.h"

namespace utrace {

// As TakeSnapshot() has them. A view without frames is of a thread that did not leave its CPU.
absl::StatusOr<std::vector<StackView>> StacksOf(pid_t pid, const std::vector<pid_t>& threads,
                                                std::optional<Engine> engine,
                                                const StackOptions& options);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_STACKS_H_
