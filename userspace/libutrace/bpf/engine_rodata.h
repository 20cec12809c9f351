// SPDX-License-Identifier: Apache-2.0
// The const volatile variables of a BPF object, which are set before it is loaded.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_RODATA_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_RODATA_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

struct bpf_object;

namespace utrace {

struct RodataVariable {
  std::string name;
  uint32_t type = 0;       // of the variable, in the object's types
  char* memory = nullptr;  // that its map begins with
  size_t offset = 0;       // of the variable there
  size_t size = 0;         // of all the memory
};

// But for static ones, which are the program's own: the strings of its messages.
std::vector<RodataVariable> RodataVariables(const bpf_object* object);

// The memory of one with room for so many bytes; nullptr if there is none.
char* FindRodata(const bpf_object* object, absl::string_view name, size_t size);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_RODATA_H_
