// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_OBSERVER_LIST_H_
#define UTRACE_LIBUTRACE_BPF_OBSERVER_LIST_H_

#include <vector>

#include "absl/status/statusor.h"
#include "userspace/libutrace/engine_view.h"

namespace utrace {

// All of this machine. EPERM without CAP_SYS_ADMIN, which the kernel asks for to list BPF objects.
absl::StatusOr<std::vector<RunningObserver>> ListObservers();

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_OBSERVER_LIST_H_
