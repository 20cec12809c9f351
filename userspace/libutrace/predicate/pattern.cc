// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/pattern.h"

namespace utrace {

Pattern GlobPattern(absl::string_view glob) {
  Pattern pattern(1);
  for (const char c : glob) {
    if (c == '*') {
      // "**" is "*", but a piece at the end says that anything may come there.
      if (pattern.size() == 1 || !pattern.back().empty()) pattern.emplace_back();
    } else {
      pattern.back().push_back(c == '?' ? kAnyByte : static_cast<unsigned char>(c));
    }
  }
  return pattern;
}

Pattern TextPattern(absl::string_view text) {
  Pattern pattern(1);
  for (const char c : text) pattern.back().push_back(static_cast<unsigned char>(c));
  return pattern;
}

size_t PatternBytes(const Pattern& pattern) {
  size_t bytes = 0;
  for (const PatternPiece& piece : pattern) bytes += piece.size();
  return bytes;
}

}  // namespace utrace
