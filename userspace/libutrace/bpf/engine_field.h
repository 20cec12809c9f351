// SPDX-License-Identifier: Apache-2.0
// What an engine's object declares by its types, as text: a variable, or a member of a structure.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_FIELD_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_FIELD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

struct btf;

namespace utrace {

struct EngineField {
  enum class Kind { kNumber, kHex, kFlag, kText, kEnum, kSyscall, kErrno, kSignal, kHeld };

  std::string name;
  Kind kind = Kind::kNumber;
  bool is_signed = false;
  size_t offset = 0;  // bytes
  size_t size = 0;
  std::vector<std::pair<std::string, int64_t>> names;  // of an enum's values
};

// A variable of these types, but for its offset, which its section has. Nothing if it is of no type
// that can be given as text.
std::optional<EngineField> DescribeVariable(const btf* types, uint32_t variable);

// Those of a structure's members that have a text.
std::vector<EngineField> DescribeMembers(const btf* types, uint32_t structure);

// `bytes` is what the field is in; it is as large as the field says.
// EINVAL: the text is none of the field's kind; ERANGE: it does not fit.
absl::Status SetField(const EngineField& field, absl::string_view text, char* bytes);
// Of one that is no text.
int64_t FieldNumber(const EngineField& field, const char* bytes);
// "3", "true", "openat"; the text of an array of characters as it is.
std::string FieldText(const EngineField& field, const char* bytes);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_FIELD_H_
