// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/expression.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "include/uapi/utrace_predicate.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/syscall_table.h"
#include "userspace/libutrace/predicate/cgroup.h"
#include "userspace/libutrace/predicate/pattern.h"
#include "userspace/libutrace/predicate/token.h"

namespace utrace {
namespace {

struct FieldName {
  absl::string_view name;
  Field field;
};

constexpr FieldName kFields[] = {
    {"call", Field::kCall},     {"ret", Field::kRet},   {"error", Field::kError},
    {"fd", Field::kFd},         {"path", Field::kPath}, {"arg0", Field::kArg0},
    {"arg1", Field::kArg1},     {"arg2", Field::kArg2}, {"arg3", Field::kArg3},
    {"arg4", Field::kArg4},     {"arg5", Field::kArg5}, {"pid", Field::kPid},
    {"tid", Field::kTid},       {"uid", Field::kUid},   {"comm", Field::kComm},
    {"cgroup", Field::kCgroup},
};
constexpr absl::string_view kFailed = "failed";

struct ComparisonSign {
  absl::string_view sign;
  Comparison comparison;
};

constexpr ComparisonSign kComparisons[] = {
    {"==", Comparison::kEqual},  {"!=", Comparison::kNotEqual},
    {"<", Comparison::kLess},    {"<=", Comparison::kLessEqual},
    {">", Comparison::kGreater}, {">=", Comparison::kGreaterEqual},
};

// No call has this number.
constexpr uint64_t kNoCall = 0x7fffffff;
// What the kernel compares has to fit into one program, and into its stack when it is parsed.
constexpr int kDeepest = 40;
constexpr size_t kPatternBytes = UTRACE_PREDICATE_PIECE - 1;
constexpr size_t kStars = 8;

bool IsText(Field field) { return field == Field::kPath || field == Field::kComm; }

bool IsResult(absl::string_view field) {
  return field == "ret" || field == "error" || field == kFailed;
}

std::string FieldList() {
  std::string list(kFailed);
  for (const FieldName& entry : kFields) absl::StrAppend(&list, ", ", entry.name);
  return list;
}

class Parser {
 public:
  Parser(absl::string_view text, Moment moment, std::vector<Token> tokens)
      : text_(text), moment_(moment), tokens_(std::move(tokens)) {}

  absl::StatusOr<Expression> Parse() {
    ASSIGN_OR_RETURN(Expression all, ParseAny());
    if (Next().kind != Token::Kind::kEnd) {
      return Wrong(Next(), "here && or || is missing, or the end");
    }
    return all;
  }

 private:
  const Token& Next() const { return tokens_[next_]; }
  // The end stays where it is.
  const Token& Take() { return tokens_[next_ + 1 < tokens_.size() ? next_++ : next_]; }
  bool IsNext(absl::string_view sign) const {
    return Next().kind == Token::Kind::kSign && Next().text == sign;
  }
  bool TakeIf(absl::string_view sign) {
    const bool is_next = IsNext(sign);
    next_ += is_next ? 1 : 0;
    return is_next;
  }
  absl::Status Wrong(const Token& token, absl::string_view why) const {
    return ExpressionError(text_, token.at, token.length, why);
  }
  absl::Status Expect(absl::string_view sign) {
    if (TakeIf(sign)) return absl::OkStatus();
    return Wrong(Next(), absl::StrCat("here a '", sign, "' is missing"));
  }

  absl::StatusOr<Expression> ParseAny() {
    return ParseParts(Expression::Kind::kAny, "||", &Parser::ParseAll);
  }
  absl::StatusOr<Expression> ParseAll() {
    return ParseParts(Expression::Kind::kAll, "&&", &Parser::ParseOne);
  }
  absl::StatusOr<Expression> ParseParts(Expression::Kind kind, absl::string_view sign,
                                        absl::StatusOr<Expression> (Parser::*parse)()) {
    Expression whole;
    whole.kind = kind;
    do {
      ASSIGN_OR_RETURN(Expression part, (this->*parse)());
      whole.parts.push_back(std::move(part));
    } while (TakeIf(sign));
    return whole.parts.size() == 1 ? std::move(whole.parts.front()) : std::move(whole);
  }

  absl::StatusOr<Expression> ParseOne() {
    const Token& first = Next();
    if (depth_ == kDeepest) return Wrong(first, "this is nested too deep");
    ++depth_;
    absl::StatusOr<Expression> one = ParseNested();
    --depth_;
    return one;
  }

  absl::StatusOr<Expression> ParseNested() {
    if (TakeIf("!")) {
      ASSIGN_OR_RETURN(Expression part, ParseOne());
      return Not(std::move(part));
    }
    if (!TakeIf("(")) return ParseCondition();
    ASSIGN_OR_RETURN(Expression inner, ParseAny());
    const bool is_mask = inner.kind == Expression::Kind::kNumber && mask_ends_ == next_;
    RETURN_IF_ERROR(Expect(")"));
    // "(FIELD & FLAGS) == VALUE"
    return is_mask ? ParseComparison(std::move(inner), true) : std::move(inner);
  }

  static Expression Not(Expression part) {
    Expression expression;
    expression.kind = Expression::Kind::kNot;
    expression.parts.push_back(std::move(part));
    return expression;
  }

  absl::StatusOr<Expression> ParseCondition() {
    const Token name = Take();
    if (name.kind != Token::Kind::kName) {
      return Wrong(name, absl::StrCat("here a field is missing, one of ", FieldList()));
    }
    Expression condition;
    condition.kind = Expression::Kind::kNumber;
    if (moment_ == Moment::kEntry && IsResult(name.text)) {
      return Wrong(name, "it is asked before the call is made: this is not known yet");
    }
    if (name.text == kFailed) {
      condition.field = Field::kError;
      condition.comparison = Comparison::kNotEqual;
      return condition;
    }
    const auto* const entry =
        std::find_if(std::begin(kFields), std::end(kFields),
                     [&](const FieldName& known) { return known.name == name.text; });
    if (entry == std::end(kFields)) {
      return Wrong(name, absl::StrCat("there is no such field, but ", FieldList()));
    }
    condition.field = entry->field;
    if (IsText(condition.field)) return ParseText(std::move(condition));
    if (condition.field == Field::kCgroup) return ParseCgroup(std::move(condition));
    if (Next().kind == Token::Kind::kName && Next().text == "in") return ParseList(condition);
    if (IsNext("&") && condition.field == Field::kCall) {
      return Wrong(Next(), "a call's number has no flags");
    }
    const bool masked = TakeIf("&");
    if (masked) {
      ASSIGN_OR_RETURN(condition.mask, ParseFlags(condition.field));
      condition.comparison = Comparison::kNotEqual;
    }
    return ParseComparison(std::move(condition), masked);
  }

  absl::StatusOr<Expression> ParseComparison(Expression condition, bool may_miss) {
    const Token& sign = Next();
    const auto* const entry = std::find_if(
        std::begin(kComparisons), std::end(kComparisons), [&](const ComparisonSign& known) {
          return sign.kind == Token::Kind::kSign && known.sign == sign.text;
        });
    if (entry == std::end(kComparisons)) {
      mask_ends_ = next_;
      if (may_miss) return condition;
      if (IsNext("~") || IsNext("!~")) return Wrong(sign, "numbers do not fit globs");
      return Wrong(sign, "here one of == != < <= > >= in & is missing");
    }
    condition.comparison = entry->comparison;
    if (condition.field == Field::kCall && condition.comparison != Comparison::kEqual &&
        condition.comparison != Comparison::kNotEqual) {
      return Wrong(sign, "calls have no order: there are ==, != and in");
    }
    Take();
    RETURN_IF_ERROR(ParseValue(condition));
    return condition;
  }

  // "in (A, B)"
  absl::StatusOr<Expression> ParseList(const Expression& condition) {
    Expression any;
    any.kind = Expression::Kind::kAny;
    Take();
    RETURN_IF_ERROR(Expect("("));
    do {
      any.parts.push_back(condition);
      RETURN_IF_ERROR(ParseValue(any.parts.back()));
    } while (TakeIf(","));
    RETURN_IF_ERROR(Expect(")"));
    return any;
  }

  absl::Status ParseValue(Expression& condition) {
    const bool negative = TakeIf("-");
    const Token value = Take();
    if (condition.field == Field::kCall && !negative && value.kind == Token::Kind::kName) {
      return SetCall(value, condition);
    }
    ASSIGN_OR_RETURN(condition.value, NumberOf(value, condition.field));
    if (negative) {
      if (!IsSigned(condition.field)) return Wrong(value, "this field is never negative");
      condition.value = -condition.value;
    } else if (IsSigned(condition.field) &&
               condition.value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Wrong(value, "this field is never that large");
    }
    condition.value_i386 = condition.value;
    return absl::OkStatus();
  }

  absl::Status SetCall(const Token& name, Expression& condition) const {
    const std::optional<int> native = SyscallNumber(Abi::kX8664, name.text);
    const std::optional<int> compat = SyscallNumber(Abi::kI386, name.text);
    if (!native && !compat) return Wrong(name, "there is no such system call");
    condition.value = native ? static_cast<uint64_t>(*native) : kNoCall;
    condition.value_i386 = compat ? static_cast<uint64_t>(*compat) : kNoCall;
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> NumberOf(const Token& token, Field field) const {
    if (token.kind == Token::Kind::kNumber) return token.number;
    if (token.kind != Token::Kind::kName) return Wrong(token, "here a number is missing");
    if (field == Field::kError) {
      const int error = ErrnoNumber(token.text);
      if (error != 0) return static_cast<uint64_t>(error);
      return Wrong(token, "there is no such error");
    }
    const std::optional<uint64_t> constant = ConstantValue(token.text);
    if (constant) return *constant;
    return Wrong(token, "this is no number, nor a constant of a system call");
  }

  // "A | B"
  absl::StatusOr<uint64_t> ParseFlags(Field field) {
    uint64_t flags = 0;
    do {
      const Token flag = Take();
      ASSIGN_OR_RETURN(const uint64_t bits, NumberOf(flag, field));
      if (bits == 0) return Wrong(flag, "this has no bit");
      flags |= bits;
    } while (TakeIf("|"));
    return flags;
  }

  absl::StatusOr<Expression> ParseCgroup(Expression condition) {
    const Token sign = Take();
    if (sign.kind != Token::Kind::kSign || (sign.text != "==" && sign.text != "!=")) {
      return Wrong(sign, "cgroups are compared by == and !=");
    }
    const Token value = Take();
    if (value.kind != Token::Kind::kText) {
      return Wrong(value, "here a cgroup's path in quotes is missing");
    }
    const absl::StatusOr<CgroupPlace> place = FindCgroup(value.text);
    if (!place.ok()) return Wrong(value, place.status().message());
    condition.comparison = sign.text == "==" ? Comparison::kEqual : Comparison::kNotEqual;
    condition.value = condition.value_i386 = place->id;
    condition.level = place->level;
    return condition;
  }

  absl::StatusOr<Expression> ParseText(Expression condition) {
    condition.kind = Expression::Kind::kText;
    const Token sign = Take();
    const bool glob = sign.text == "~" || sign.text == "!~";
    const bool exact = sign.text == "==" || sign.text == "!=";
    if (sign.kind != Token::Kind::kSign || (!glob && !exact)) {
      return Wrong(sign, "texts are compared by == != ~ !~");
    }
    const Token value = Take();
    if (value.kind != Token::Kind::kText) {
      return Wrong(value, "here a text in quotes is missing");
    }
    condition.pattern = glob ? GlobPattern(value.text) : TextPattern(value.text);
    if (glob && value.text.find_first_of("[]{}") != std::string::npos) {
      return Wrong(value, "the kernel's globs have * and ? only");
    }
    if (PatternBytes(condition.pattern) > kPatternBytes || condition.pattern.size() > kStars + 1) {
      return Wrong(value, absl::StrCat("at most ", kPatternBytes, " bytes and ", kStars,
                                       " stars can be compared"));
    }
    if (value.text.find('\0') != std::string::npos) return Wrong(value, "no text has a NUL");
    // Of a call that has no path it is false too, as all that is said about it.
    return sign.text.front() == '!' ? NotText(std::move(condition)) : std::move(condition);
  }

  // There is a text, and it does not fit.
  static Expression NotText(Expression condition) {
    Expression any_text = condition;
    any_text.pattern = GlobPattern("*");
    Expression all;
    all.kind = Expression::Kind::kAll;
    all.parts.push_back(std::move(any_text));
    all.parts.push_back(Not(std::move(condition)));
    return all;
  }

  absl::string_view text_;
  Moment moment_;
  std::vector<Token> tokens_;
  size_t next_ = 0;
  // Where a condition of flags alone was over last.
  size_t mask_ends_ = 0;
  int depth_ = 0;
};

}  // namespace

bool IsSigned(Field field) { return field == Field::kRet || field == Field::kFd; }

absl::StatusOr<Expression> ParseExpression(absl::string_view text, Moment moment) {
  ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(text));
  return Parser(text, moment, std::move(tokens)).Parse();
}

bool Uses(const Expression& expression, Field field) {
  const bool is_leaf = expression.parts.empty() && expression.kind != Expression::Kind::kAll;
  return (is_leaf && expression.field == field) ||
         std::any_of(expression.parts.begin(), expression.parts.end(),
                     [&](const Expression& part) { return Uses(part, field); });
}

}  // namespace utrace
