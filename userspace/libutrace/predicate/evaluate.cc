// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/evaluate.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "userspace/libutrace/decode/constants.h"

namespace utrace {
namespace {

bool FitsHere(absl::string_view text, const PatternPiece& piece) {
  return text.size() >= piece.size() &&
         std::equal(piece.begin(), piece.end(), text.begin(), [](int16_t want, char is) {
           return want == kAnyByte || want == static_cast<unsigned char>(is);
         });
}

// Pieces from `at` on, the first of them right here.
bool Fits(absl::string_view text, const Pattern& pattern, size_t at) {
  if (!FitsHere(text, pattern[at])) return false;
  text.remove_prefix(pattern[at].size());
  if (at + 1 == pattern.size()) return text.empty();
  for (;; text.remove_prefix(1)) {
    if (Fits(text, pattern, at + 1)) return true;
    if (text.empty()) return false;
  }
}

std::optional<uint64_t> NumberOf(const Expression& condition, const PredicateCall& call) {
  const Field field = condition.field;
  switch (field) {
    case Field::kCgroup:
      return condition.level < call.cgroups.size() ? call.cgroups[condition.level] : 0;
    case Field::kCall:
      return call.nr;
    case Field::kRet:
      return static_cast<uint64_t>(call.ret);
    case Field::kError:
      return call.ret < 0 && call.ret >= -kLargestErrno ? static_cast<uint64_t>(-call.ret) : 0;
    case Field::kFd:
      if (!call.fd) return std::nullopt;
      return static_cast<uint64_t>(int64_t{*call.fd});
    case Field::kPid:
      return call.pid;
    case Field::kTid:
      return call.tid;
    case Field::kUid:
      return call.uid;
    case Field::kPath:
    case Field::kComm:
      return std::nullopt;
    default:
      return call.args[static_cast<size_t>(field) - static_cast<size_t>(Field::kArg0)];
  }
}

template <typename Number>
bool Compare(Comparison comparison, Number left, Number right) {
  switch (comparison) {
    case Comparison::kEqual:
      return left == right;
    case Comparison::kNotEqual:
      return left != right;
    case Comparison::kLess:
      return left < right;
    case Comparison::kLessEqual:
      return left <= right;
    case Comparison::kGreater:
      return left > right;
    case Comparison::kGreaterEqual:
      return left >= right;
  }
  return false;
}

bool CompareNumber(const Expression& condition, const PredicateCall& call) {
  std::optional<uint64_t> number = NumberOf(condition, call);
  if (!number) return false;
  *number &= condition.mask;
  const uint64_t value = call.abi == Abi::kI386 ? condition.value_i386 : condition.value;
  if (!IsSigned(condition.field)) return Compare(condition.comparison, *number, value);
  return Compare(condition.comparison, static_cast<int64_t>(*number), static_cast<int64_t>(value));
}

}  // namespace

bool Evaluate(const Expression& expression, const PredicateCall& call) {
  const auto is_so = [&](const Expression& part) { return Evaluate(part, call); };
  const std::vector<Expression>& parts = expression.parts;
  switch (expression.kind) {
    case Expression::Kind::kAll:
      return std::all_of(parts.begin(), parts.end(), is_so);
    case Expression::Kind::kAny:
      return std::any_of(parts.begin(), parts.end(), is_so);
    case Expression::Kind::kNot:
      return !is_so(parts.front());
    case Expression::Kind::kNumber:
      return CompareNumber(expression, call);
    case Expression::Kind::kText:
      if (expression.field == Field::kComm) return Fits(call.comm, expression.pattern, 0);
      return call.path && Fits(*call.path, expression.pattern, 0);
  }
  return false;
}

}  // namespace utrace
