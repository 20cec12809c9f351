// SPDX-License-Identifier: Apache-2.0
// The options of an engine: the const volatile variables of its object.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_OPTION_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_OPTION_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

struct bpf_map;
struct btf;

namespace utrace {

// One variable, in the memory that its map begins with.
struct EngineOption {
  enum class Kind { kNumber, kFlag, kText, kSyscall, kErrno };

  std::string name;
  Kind kind = Kind::kNumber;
  bool is_signed = false;
  size_t size = 0;  // bytes
  void* at = nullptr;
};

// Those of the object's constants that can be given as text; strings of the program are none.
std::vector<EngineOption> FindOptions(const btf* types, bpf_map* constants);

// EINVAL: the text is none of the option's kind; ERANGE: it does not fit.
absl::Status SetOption(const EngineOption& option, absl::string_view text);
// "3", "true", "openat", as it is now.
std::string OptionText(const EngineOption& option);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_OPTION_H_
