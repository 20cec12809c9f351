// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_PREDICATE_PATTERN_H_
#define UTRACE_LIBUTRACE_PREDICATE_PATTERN_H_

#include "absl/strings/string_view.h"
#include "userspace/libutrace/predicate/expression.h"

namespace utrace {

// `*` any bytes, `?` any one byte.
Pattern GlobPattern(absl::string_view glob);
// The text itself.
Pattern TextPattern(absl::string_view text);

// All the bytes that it names, `?` among them.
size_t PatternBytes(const Pattern& pattern);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PREDICATE_PATTERN_H_
