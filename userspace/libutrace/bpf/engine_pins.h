// SPDX-License-Identifier: Apache-2.0
// Where engines stay that outlive their loader: the engine's link, by which it is known, and those
// of the programs beside it.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_PINS_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_PINS_H_

#include <string>

#include "absl/status/status.h"

struct bpf_link;

namespace utrace {

// Whether files may have this name: no other is ever looked for, nor removed.
bool IsEngineName(const std::string& name);

bool EngineIsPinned(const std::string& name);

absl::Status PinEngine(const std::string& name, bpf_link* link);
// Of a program in the engine's object, by the program's name. EEXIST: it is pinned.
absl::Status PinBesideEngine(const std::string& name, const std::string& program, bpf_link* link);

// All of that name; none is well, too.
absl::Status RemoveEnginePins(const std::string& name);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_PINS_H_
