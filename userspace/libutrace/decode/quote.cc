// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/quote.h"

namespace utrace {
namespace {

char ShortEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case '\n':
      return 'n';
    case '\t':
      return 't';
    case '\r':
      return 'r';
    case '\v':
      return 'v';
    case '\f':
      return 'f';
    default:
      return 0;
  }
}

// Three digits if a digit follows, which would else be read as part of the number.
void AppendOctal(std::string* out, unsigned char c, bool full) {
  out->push_back('\\');
  if (full || c >= 0100) out->push_back(static_cast<char>('0' + (c >> 6)));
  if (full || c >= 010) out->push_back(static_cast<char>('0' + (c >> 3 & 7)));
  out->push_back(static_cast<char>('0' + (c & 7)));
}

}  // namespace

std::string Quote(absl::string_view bytes, bool more) {
  std::string out;
  out.reserve(bytes.size() + 5);
  out.push_back('"');
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (const char escape = ShortEscape(c)) {
      out.push_back('\\');
      out.push_back(escape);
    } else if (c >= ' ' && c <= '~') {
      out.push_back(c);
    } else {
      const bool digit_follows = i + 1 < bytes.size() && bytes[i + 1] >= '0' && bytes[i + 1] <= '9';
      AppendOctal(&out, static_cast<unsigned char>(c), digit_follows);
    }
  }
  out.append(more ? "\"..." : "\"");
  return out;
}

std::string QuoteUpTo(absl::string_view bytes, size_t limit, bool more) {
  if (bytes.size() > limit) return Quote(bytes.substr(0, limit), true);
  return Quote(bytes, more);
}

}  // namespace utrace
