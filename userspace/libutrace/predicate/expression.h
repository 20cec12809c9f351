// SPDX-License-Identifier: Apache-2.0
// What an expression about a system call says: which of those that end are wanted.
#ifndef UTRACE_LIBUTRACE_PREDICATE_EXPRESSION_H_
#define UTRACE_LIBUTRACE_PREDICATE_EXPRESSION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace utrace {

enum class Field : uint8_t {
  kCall,
  kRet,
  kError,
  kFd,
  kPath,
  kArg0,
  kArg1,
  kArg2,
  kArg3,
  kArg4,
  kArg5,
  kPid,
  kTid,
  kUid,
  kComm,
  kCgroup,
};

enum class Comparison : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// One piece of a pattern, between two stars: the bytes there must be, kAnyByte for one of any
// value.
using PatternPiece = std::vector<int16_t>;
inline constexpr int16_t kAnyByte = -1;

// A text, or a glob of `*` and `?`. Pieces follow each other with anything in between; the first is
// at the beginning, the last at the end, and either may be empty. One piece alone is all there is.
using Pattern = std::vector<PatternPiece>;

struct Expression {
  enum class Kind : uint8_t {
    kAll,     // of its parts; true if there is none
    kAny,     // of its parts
    kNot,     // its one part
    kNumber,  // (field & mask) OP value
    kText,    // field fits pattern
  };

  Kind kind = Kind::kAll;
  std::vector<Expression> parts;

  // A field that a call does not have (`fd`, `path`) compares to nothing: false, whatever the OP.
  Field field = Field::kCall;
  Comparison comparison = Comparison::kEqual;
  uint64_t mask = ~uint64_t{0};
  uint64_t value = 0;
  uint32_t level = 0;       // of a cgroup: that of the thread at this level is compared
  uint64_t value_i386 = 0;  // in calls of 32-bit programs, whose numbers differ; else the same
  Pattern pattern;
};

// Signed fields: ret, fd. All others are not.
bool IsSigned(Field field);

// When it is asked: at a call's beginning there is no result yet.
enum class Moment : uint8_t { kEntry, kEnd };

// Errors: what is wrong, the expression, and a mark under the place.
//
//   call in (open, openat) && path ~ "/etc/*" && !(error == ENOENT)
//
// Fields are those above by their names, and `failed`; texts (path, comm) are compared by ==, !=,
// and by ~, !~ with a glob; `cgroup` by == and != with a path, of one that there is when this is
// called: the thread is in it, or in one below; numbers by == != < <= > >=, and `(a & FLAGS)` or `a
// & FLAGS == b`.
absl::StatusOr<Expression> ParseExpression(absl::string_view text, Moment moment = Moment::kEnd);

// Does it compare this field?
bool Uses(const Expression& expression, Field field);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PREDICATE_EXPRESSION_H_
