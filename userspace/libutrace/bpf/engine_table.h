// SPDX-License-Identifier: Apache-2.0
// What an engine's programs have counted: its UTRACE_TABLE(), as text by the types of the map.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_TABLE_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_TABLE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "userspace/libutrace/bpf/engine_map.h"

namespace utrace {

// Rows of cells as they are now, the names of the members first, then the largest of the first
// counted member; nothing if the object, which is loaded, has no such table, or it is empty.
absl::StatusOr<std::vector<std::vector<std::string>>> ReadEngineTable(const EngineMap& map);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_TABLE_H_
