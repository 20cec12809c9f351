// SPDX-License-Identifier: Apache-2.0
// The engines in BPF that are loaded, by whomever.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_LIST_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_LIST_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "userspace/libutrace/engine_view.h"

namespace utrace {

// All of this machine. EPERM without CAP_SYS_ADMIN, which the kernel asks for to list BPF objects.
absl::StatusOr<std::vector<LoadedEngine>> ListLoadedEngines();

// Off all threads, and its pins with it. ENOENT: there is none of that name.
absl::Status UnloadEngine(const std::string& name);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_LIST_H_
