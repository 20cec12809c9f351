// SPDX-License-Identifier: Apache-2.0
// The files that a BPF object is about, bpf/include/utrace_paths.bpf.h.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_PATHS_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_PATHS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "include/uapi/utrace_paths.h"

struct bpf_object;

namespace utrace {

// What is there now, behind links, by the kernel's own numbers: some file systems, as btrfs, give
// others to stat.
absl::StatusOr<utrace_path> IdentifyPath(const std::string& path);

// Of the object of that engine, which was loaded. EINVAL: it is about no paths, or there is none
// and it has to be told.
absl::Status TellPaths(const bpf_object* object, const std::string& engine,
                       const std::vector<utrace_path>& paths);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_PATHS_H_
