// SPDX-License-Identifier: Apache-2.0
// Control groups as the kernel compares them.
#ifndef UTRACE_LIBUTRACE_PREDICATE_CGROUP_H_
#define UTRACE_LIBUTRACE_PREDICATE_CGROUP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

struct CgroupPlace {
  uint64_t id = 0;
  uint32_t level = 0;  // below the root, which is 0
};

// Of the unified hierarchy (v2), by its path there, as /proc/PID/cgroup has it behind "0::", or by
// that of its directory. Errors say why not.
absl::StatusOr<CgroupPlace> FindCgroup(absl::string_view path);
// Its directory.
absl::StatusOr<UniqueFd> OpenCgroup(absl::string_view path);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PREDICATE_CGROUP_H_
