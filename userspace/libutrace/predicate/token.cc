// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/token.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace utrace {
namespace {

// Longest first.
constexpr absl::string_view kSigns[] = {"&&", "||", "==", "!=", "<=", ">=", "!~", "<", ">",
                                        "~",  "!",  "&",  "(",  ")",  ",",  "-",  "|"};

bool IsWord(char c) { return absl::ascii_isalnum(c) || c == '_'; }

size_t WordLength(absl::string_view text) {
  size_t length = 0;
  while (length < text.size() && IsWord(text[length])) ++length;
  return length;
}

// Columns of a terminal, nearly: continuation bytes of UTF-8 take none.
size_t Columns(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// Decimal, 0x hexadecimal, or octal after a 0, all of it.
bool ParseNumber(const std::string& word, uint64_t& number) {
  char* end = nullptr;
  errno = 0;
  number = std::strtoull(word.c_str(), &end, 0);
  return errno == 0 && *end == '\0';
}

// Between two of the same quotes; \x stands for x. `length` is that of all of it.
bool ParseText(absl::string_view text, std::string& value, size_t& length) {
  const char quote = text.front();
  for (length = 1; length < text.size(); ++length) {
    if (text[length] == quote) {
      ++length;
      return true;
    }
    if (text[length] == '\\' && ++length == text.size()) break;
    value.push_back(text[length]);
  }
  return false;
}

}  // namespace

absl::Status ExpressionError(absl::string_view text, size_t at, size_t length,
                             absl::string_view why) {
  std::string line(text);
  // So that it stays one line, with the mark below it.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return absl::ascii_iscntrl(c); }, ' ');
  const size_t marks = Columns(text.substr(at, length));
  return absl::InvalidArgumentError(absl::StrCat("cannot use this expression: ", why, "\n  ", line,
                                                 "\n  ",
                                                 std::string(Columns(text.substr(0, at)), ' '), "^",
                                                 std::string(std::max<size_t>(marks, 1) - 1, '~')));
}

absl::StatusOr<std::vector<Token>> Tokenize(absl::string_view text) {
  std::vector<Token> tokens;
  size_t at = 0;
  for (;;) {
    while (at < text.size() && absl::ascii_isspace(text[at])) ++at;
    Token token;
    token.at = at;
    const absl::string_view rest = text.substr(at);
    if (rest.empty()) {
      tokens.push_back(token);
      return tokens;
    }
    if (IsWord(rest.front())) {
      token.length = WordLength(rest);
      token.text = std::string(rest.substr(0, token.length));
      const bool is_number = absl::ascii_isdigit(rest.front());
      token.kind = is_number ? Token::Kind::kNumber : Token::Kind::kName;
      if (is_number && !ParseNumber(token.text, token.number)) {
        return ExpressionError(text, at, token.length, "this is no number of 64 bits");
      }
    } else if (rest.front() == '"' || rest.front() == '\'') {
      token.kind = Token::Kind::kText;
      if (!ParseText(rest, token.text, token.length)) {
        return ExpressionError(text, at, 1, "a quote that is not closed");
      }
    } else {
      const auto* const sign =
          std::find_if(std::begin(kSigns), std::end(kSigns),
                       [&](absl::string_view s) { return rest.substr(0, s.size()) == s; });
      if (sign == std::end(kSigns)) {
        const absl::string_view hint =
            rest.front() == '=' ? "a lone '='; to compare there is '=='" : "there is no such sign";
        return ExpressionError(text, at, 1, hint);
      }
      token.kind = Token::Kind::kSign;
      token.text = std::string(*sign);
      token.length = sign->size();
    }
    at += token.length;
    tokens.push_back(std::move(token));
  }
}

}  // namespace utrace
