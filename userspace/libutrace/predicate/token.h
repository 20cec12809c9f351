// SPDX-License-Identifier: Apache-2.0
// The words of an expression, and how to point at one.
#ifndef UTRACE_LIBUTRACE_PREDICATE_TOKEN_H_
#define UTRACE_LIBUTRACE_PREDICATE_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace utrace {

struct Token {
  enum class Kind : uint8_t { kName, kNumber, kText, kSign, kEnd };
  Kind kind = Kind::kEnd;
  size_t at = 0;  // in the expression, bytes
  size_t length = 0;
  std::string text;     // as written; of a kText what it stands for
  uint64_t number = 0;  // of a kNumber: its size, the sign is a token of its own
};

// Ends with a kEnd. Errors as those of ParseExpression().
absl::StatusOr<std::vector<Token>> Tokenize(absl::string_view text);

// An error about `length` bytes of an expression.
absl::Status ExpressionError(absl::string_view text, size_t at, size_t length,
                             absl::string_view why);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PREDICATE_TOKEN_H_
