// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_PROCESS_MAPS_H_
#define UTRACE_LIBUTRACE_PROCESS_MAPS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace utrace {

// A line of /proc/PID/maps.
struct Mapping {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool executable = false;
  std::string path;  // as the process's own root has it; "[vdso]" and the like; empty: none

  // Under which the kernel gives the very file that is mapped, whatever is at its path now.
  std::string FileOf(pid_t pid) const;
};

// By address. EACCES if its memory may not be known.
absl::StatusOr<std::vector<Mapping>> ReadMappings(pid_t pid);

// Null if nothing is mapped there.
const Mapping* MappingAt(const std::vector<Mapping>& mappings, uint64_t address);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PROCESS_MAPS_H_
