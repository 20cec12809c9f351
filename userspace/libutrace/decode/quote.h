// SPDX-License-Identifier: Apache-2.0
// Memory as a C string literal, in the form strace made familiar.
#ifndef UTRACE_LIBUTRACE_DECODE_QUOTE_H_
#define UTRACE_LIBUTRACE_DECODE_QUOTE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace utrace {

// "a\nb"; with `more`, three dots follow the closing quote.
std::string Quote(absl::string_view bytes, bool more = false);

// At most `limit` bytes of it, with the dots if that or `more` cut something off.
std::string QuoteUpTo(absl::string_view bytes, size_t limit, bool more);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DECODE_QUOTE_H_
