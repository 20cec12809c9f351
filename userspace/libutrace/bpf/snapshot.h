// SPDX-License-Identifier: Apache-2.0
// What the threads of a process are at, taken in a moment and looked at afterwards.
#ifndef UTRACE_LIBUTRACE_BPF_SNAPSHOT_H_
#define UTRACE_LIBUTRACE_BPF_SNAPSHOT_H_

#include <sys/types.h>

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "userspace/libutrace/engine.h"
#include "userspace/libutrace/thread_snapshot.h"

namespace utrace {

// Of `threads` of process `pid`; of those that have ended meanwhile there is none.
//
// With an engine that is on them all are stopped at once, those that sleep where they are, and go
// on when their registers and stacks are copied, without the engine: none of them returns from a
// call for it. Without one nobody is stopped: each is taken in a moment of its own when it is on no
// CPU, and one that never leaves its CPU has no registers then.
absl::StatusOr<std::vector<ThreadSnapshot>> TakeSnapshot(pid_t pid,
                                                         const std::vector<pid_t>& threads,
                                                         std::optional<Engine> engine);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_SNAPSHOT_H_
