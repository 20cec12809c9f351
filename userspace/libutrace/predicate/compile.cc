// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/compile.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "include/uapi/utrace_predicate.h"
#include "include/uapi/utrace_records.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/predicate/assembler.h"

namespace utrace {
namespace {

// What stays in a register all the time; r0 to r5 are anybody's between two calls.
constexpr BpfRegister kView = BPF_REG_6;
constexpr BpfRegister kRoom = BPF_REG_7;
constexpr BpfRegister kLength = BPF_REG_8;    // of the text in the room, without its NUL
constexpr BpfRegister kPosition = BPF_REG_9;  // in it, up to where the pattern fits

// Behind the text and the piece that may run on behind it.
constexpr size_t kAside = UTRACE_PREDICATE_ASIDE;
constexpr int32_t kCommBytes = 16;
constexpr int32_t kLongest = UTRACE_PREDICATE_TEXT - 1;

size_t OffsetOf(Field field) {
  switch (field) {
    case Field::kCall:
      return offsetof(utrace_predicate_view, nr);
    case Field::kRet:
    case Field::kError:
      return offsetof(utrace_predicate_view, ret);
    case Field::kFd:
      return offsetof(utrace_predicate_view, fd);
    case Field::kPid:
      return offsetof(utrace_predicate_view, pid);
    case Field::kTid:
      return offsetof(utrace_predicate_view, tid);
    default:
      return offsetof(utrace_predicate_view, args) +
             8 * (static_cast<size_t>(field) - static_cast<size_t>(Field::kArg0));
  }
}

bool Is64Bits(Field field) {
  return field == Field::kRet || field == Field::kError ||
         (field >= Field::kArg0 && field <= Field::kArg5);
}

Comparison Opposite(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEqual:
      return Comparison::kNotEqual;
    case Comparison::kNotEqual:
      return Comparison::kEqual;
    case Comparison::kLess:
      return Comparison::kGreaterEqual;
    case Comparison::kLessEqual:
      return Comparison::kGreater;
    case Comparison::kGreater:
      return Comparison::kLessEqual;
    case Comparison::kGreaterEqual:
      return Comparison::kLess;
  }
  return comparison;
}

uint8_t JumpCode(Comparison comparison, bool is_signed) {
  switch (comparison) {
    case Comparison::kEqual:
      return BPF_JEQ;
    case Comparison::kNotEqual:
      return BPF_JNE;
    case Comparison::kLess:
      return is_signed ? BPF_JSLT : BPF_JLT;
    case Comparison::kLessEqual:
      return is_signed ? BPF_JSLE : BPF_JLE;
    case Comparison::kGreater:
      return is_signed ? BPF_JSGT : BPF_JGT;
    case Comparison::kGreaterEqual:
      return is_signed ? BPF_JSGE : BPF_JGE;
  }
  return BPF_JEQ;
}

class Compiler {
 public:
  std::vector<bpf_insn> Compile(const Expression& expression) {
    as_.Move(kView, BPF_REG_1);
    as_.Move(kRoom, BPF_REG_2);
    Label no;
    Label end;
    UnlessGo(expression, no);
    as_.Set(BPF_REG_0, 1);
    as_.Jump(end);
    as_.Bind(no);
    as_.Set(BPF_REG_0, 0);
    as_.Bind(end);
    return as_.Take();
  }

 private:
  // Goes there if it is false, and else on.
  void UnlessGo(const Expression& expression, Label& there) {
    switch (expression.kind) {
      case Expression::Kind::kAll:
        for (const Expression& part : expression.parts) UnlessGo(part, there);
        return;
      case Expression::Kind::kNot:
        IfGo(expression.parts.front(), there);
        return;
      case Expression::Kind::kAny: {
        Label on;
        for (size_t i = 0; i + 1 < expression.parts.size(); ++i) IfGo(expression.parts[i], on);
        UnlessGo(expression.parts.back(), there);
        as_.Bind(on);
        return;
      }
      case Expression::Kind::kNumber:
        CompareNumber(expression, there);
        return;
      case Expression::Kind::kText:
        CompareText(expression, there);
        return;
    }
  }

  // Goes there if it is true, and else on.
  void IfGo(const Expression& expression, Label& there) {
    switch (expression.kind) {
      case Expression::Kind::kAny:
        for (const Expression& part : expression.parts) IfGo(part, there);
        return;
      case Expression::Kind::kNot:
        UnlessGo(expression.parts.front(), there);
        return;
      default: {
        Label on;
        UnlessGo(expression, on);
        as_.Jump(there);
        as_.Bind(on);
        return;
      }
    }
  }

  void CompareNumber(const Expression& condition, Label& no) {
    if (condition.field == Field::kCall && condition.value != condition.value_i386) {
      Label compat;
      Label on;
      as_.Load(BPF_W, BPF_REG_2, kView, offsetof(utrace_predicate_view, abi));
      as_.Load(BPF_W, BPF_REG_1, kView, OffsetOf(Field::kCall));
      as_.JumpIf(BPF_JEQ, BPF_REG_2, UTRACE_ABI_I386, compat);
      JumpUnless(condition, condition.value, no);
      as_.Jump(on);
      as_.Bind(compat);
      JumpUnless(condition, condition.value_i386, no);
      as_.Bind(on);
      return;
    }
    if (condition.field == Field::kCgroup) {
      as_.Set(BPF_REG_1, condition.level);
      as_.Call(BPF_FUNC_get_current_ancestor_cgroup_id);
      as_.Move(BPF_REG_1, BPF_REG_0);
    } else {
      LoadNumber(condition.field, no);
    }
    if (condition.mask != ~uint64_t{0}) {
      as_.Set(BPF_REG_2, condition.mask);
      as_.ApplyRegister(BPF_AND, BPF_REG_1, BPF_REG_2);
    }
    JumpUnless(condition, condition.value, no);
  }

  // Into r1; to `no` if the call has none.
  void LoadNumber(Field field, Label& no) {
    if (field == Field::kUid) {
      as_.Call(BPF_FUNC_get_current_uid_gid);
      as_.Move(BPF_REG_1, BPF_REG_0);
      as_.Set(BPF_REG_2, 0xffffffff);
      as_.ApplyRegister(BPF_AND, BPF_REG_1, BPF_REG_2);
      return;
    }
    if (field == Field::kFd) {
      as_.Load(BPF_W, BPF_REG_1, kView, offsetof(utrace_predicate_view, has_fd));
      as_.JumpIf(BPF_JEQ, BPF_REG_1, 0, no);
    }
    as_.Load(Is64Bits(field) ? BPF_DW : BPF_W, BPF_REG_1, kView, OffsetOf(field));
    if (field == Field::kFd) {
      as_.Apply(BPF_LSH, BPF_REG_1, 32);
      as_.Apply(BPF_ARSH, BPF_REG_1, 32);
    }
    if (field == Field::kError) LoadError();
  }

  // -r1 if that is an error, or 0.
  void LoadError() {
    Label done;
    as_.Move(BPF_REG_2, BPF_REG_1);
    as_.Set(BPF_REG_1, 0);
    as_.JumpIf(BPF_JSGE, BPF_REG_2, 0, done);
    as_.JumpIf(BPF_JSLT, BPF_REG_2, static_cast<int32_t>(-kLargestErrno), done);
    as_.ApplyRegister(BPF_SUB, BPF_REG_1, BPF_REG_2);
    as_.Bind(done);
  }

  // Goes to `no` unless r1 compares.
  void JumpUnless(const Expression& condition, uint64_t value, Label& no) {
    const uint8_t code = JumpCode(Opposite(condition.comparison), IsSigned(condition.field));
    const auto low = static_cast<int32_t>(value);
    if (static_cast<uint64_t>(static_cast<int64_t>(low)) == value) {
      as_.JumpIf(code, BPF_REG_1, low, no);
      return;
    }
    as_.Set(BPF_REG_2, value);
    as_.JumpIfRegister(code, BPF_REG_1, BPF_REG_2, no);
  }

  void CompareText(const Expression& condition, Label& no) {
    LoadText(condition.field, no);
    const Pattern& pattern = condition.pattern;
    const auto first = static_cast<int32_t>(pattern.front().size());
    if (pattern.size() == 1) {
      as_.JumpIf(BPF_JNE, kLength, first, no);
    } else {
      as_.JumpIf(BPF_JLT, kLength, first, no);
    }
    ComparePiece(pattern.front(), kRoom, no);
    if (pattern.size() == 1) return;
    as_.Set(kPosition, pattern.front().size());
    for (size_t i = 1; i + 1 < pattern.size(); ++i) FindPiece(pattern[i], no);
    if (!pattern.back().empty()) CompareEnd(pattern.back(), no);
  }

  // The text at the room, and its length.
  void LoadText(Field field, Label& no) {
    if (field == Field::kComm) {
      as_.Move(BPF_REG_1, kRoom);
      as_.Apply(BPF_ADD, BPF_REG_1, kAside);
      as_.Set(BPF_REG_2, kCommBytes);
      as_.Call(BPF_FUNC_get_current_comm);
      as_.Move(BPF_REG_3, kRoom);
      as_.Apply(BPF_ADD, BPF_REG_3, kAside);
      CopyText(BPF_FUNC_probe_read_kernel_str, kCommBytes);
    } else {
      Label ours;
      Label copied;
      as_.Load(BPF_DW, BPF_REG_3, kView, offsetof(utrace_predicate_view, path));
      as_.JumpIf(BPF_JEQ, BPF_REG_3, 0, no);
      as_.Load(BPF_W, BPF_REG_1, kView, offsetof(utrace_predicate_view, path_is_ours));
      as_.JumpIf(BPF_JNE, BPF_REG_1, 0, ours);
      CopyText(BPF_FUNC_probe_read_user_str, UTRACE_PREDICATE_TEXT);
      as_.Jump(copied);
      as_.Bind(ours);
      CopyText(BPF_FUNC_probe_read_kernel_str, UTRACE_PREDICATE_TEXT);
      as_.Bind(copied);
    }
    // With its NUL. Of an empty one kernels before 6.13 say 0.
    Label some;
    as_.JumpIf(BPF_JSLT, BPF_REG_0, 0, no);
    as_.JumpIf(BPF_JNE, BPF_REG_0, 0, some);
    as_.Set(BPF_REG_0, 1);
    as_.Bind(some);
    as_.Move(kLength, BPF_REG_0);
    as_.Apply(BPF_SUB, kLength, 1);
    as_.JumpIf(BPF_JGT, kLength, kLongest, no);
  }

  // From r3.
  void CopyText(int32_t helper, int32_t room) {
    as_.Move(BPF_REG_1, kRoom);
    as_.Set(BPF_REG_2, static_cast<uint64_t>(room));
    as_.Call(helper);
  }

  // The bytes at `base` are those of the piece. Not more than two jumps: the verifier keeps the
  // other way of each, of all the places where a piece is looked for, and of 8,192 at most.
  void ComparePiece(const PatternPiece& piece, BpfRegister base, Label& no) {
    int compared = 0;
    for (size_t i = 0; i < piece.size();) {
      const size_t bytes = Together(piece, i);
      if (bytes == 0) {
        ++i;
        continue;
      }
      as_.Load(bytes == 8   ? BPF_DW
               : bytes == 4 ? BPF_W
               : bytes == 2 ? BPF_H
                            : BPF_B,
               BPF_REG_1, base, i);
      DifferFrom(Word(piece, i, bytes));
      // Mostly the first is enough to see that they are others.
      if (compared == 0) {
        as_.JumpIf(BPF_JNE, BPF_REG_1, 0, no);
      } else if (compared == 1) {
        as_.Move(BPF_REG_5, BPF_REG_1);
      } else {
        as_.ApplyRegister(BPF_OR, BPF_REG_5, BPF_REG_1);
      }
      ++compared;
      i += bytes;
    }
    if (compared > 1) as_.JumpIf(BPF_JNE, BPF_REG_5, 0, no);
  }

  static uint64_t Word(const PatternPiece& piece, size_t at, size_t bytes) {
    uint64_t word = 0;
    for (size_t k = 0; k < bytes; ++k) {
      word |= static_cast<uint64_t>(static_cast<uint8_t>(piece[at + k])) << (8 * k);
    }
    return word;
  }

  // r1 is 0 if it was that.
  void DifferFrom(uint64_t word) {
    if (word <= INT32_MAX) {
      as_.Apply(BPF_XOR, BPF_REG_1, static_cast<int32_t>(word));
      return;
    }
    as_.Set(BPF_REG_2, word);
    as_.ApplyRegister(BPF_XOR, BPF_REG_1, BPF_REG_2);
  }

  // How many bytes from `at` on can be compared by one load: 8, 4, 2, 1, or 0 of any value.
  static size_t Together(const PatternPiece& piece, size_t at) {
    size_t known = 0;
    while (at + known < piece.size() && known < 8 && piece[at + known] != kAnyByte) ++known;
    return known >= 8 ? 8 : known >= 4 ? 4 : known >= 2 ? 2 : known;
  }

  // From the position on, the first place where the piece is; the position is then behind it.
  void FindPiece(const PatternPiece& piece, Label& no) {
    const auto bytes = static_cast<int32_t>(piece.size());
    if (std::count(piece.begin(), piece.end(), kAnyByte) == bytes) {
      // Here as well as anywhere, and code that nothing leads to is refused.
      as_.Apply(BPF_ADD, kPosition, bytes);
      as_.JumpIfRegister(BPF_JGT, kPosition, kLength, no);
      return;
    }
    // By way of memory: the verifier would else follow each place that it may have come from.
    as_.Store(kRoom, kAside, kPosition);
    as_.Load(BPF_DW, kPosition, kRoom, kAside);
    const size_t again = as_.Here();
    Label next;
    Label found;
    as_.JumpIf(BPF_JGT, kPosition, kLongest, no);
    as_.Move(BPF_REG_3, kPosition);
    // Changes nothing, but to 6.12's verifier they are two numbers then: it takes what it learns of
    // one for the other, and at the end of the text gets that wrong.
    as_.Apply(BPF_AND, BPF_REG_3, 2 * UTRACE_PREDICATE_TEXT - 1);
    as_.Apply(BPF_ADD, BPF_REG_3, bytes);
    as_.JumpIfRegister(BPF_JGT, BPF_REG_3, kLength, no);
    as_.Move(BPF_REG_4, kRoom);
    as_.ApplyRegister(BPF_ADD, BPF_REG_4, kPosition);
    ComparePiece(piece, BPF_REG_4, next);
    as_.Move(kPosition, BPF_REG_3);
    as_.Jump(found);
    as_.Bind(next);
    as_.Apply(BPF_ADD, kPosition, 1);
    as_.JumpBack(again);
    as_.Bind(found);
  }

  void CompareEnd(const PatternPiece& piece, Label& no) {
    as_.Move(BPF_REG_3, kLength);
    as_.JumpIf(BPF_JLT, BPF_REG_3, static_cast<int32_t>(piece.size()), no);
    as_.Apply(BPF_SUB, BPF_REG_3, static_cast<int32_t>(piece.size()));
    as_.JumpIfRegister(BPF_JLT, BPF_REG_3, kPosition, no);
    as_.Move(BPF_REG_4, kRoom);
    as_.ApplyRegister(BPF_ADD, BPF_REG_4, BPF_REG_3);
    ComparePiece(piece, BPF_REG_4, no);
  }

  Assembler as_;
};

}  // namespace

absl::StatusOr<std::vector<bpf_insn>> CompileExpression(const Expression& expression) {
  std::vector<bpf_insn> code = Compiler().Compile(expression);
  if (code.size() <= UTRACE_PREDICATE_INSNS) return code;
  return absl::ResourceExhaustedError(
      absl::StrCat("the expression is too long: it takes ", code.size(),
                   " instructions, and there is room for ", UTRACE_PREDICATE_INSNS));
}

absl::Status PutPredicate(const std::vector<bpf_insn>& code, std::string& object) {
  bpf_insn nothing{};
  nothing.code = BPF_JMP | BPF_JA;
  std::string room;
  for (int i = 0; i < UTRACE_PREDICATE_INSNS; ++i) {
    room.append(reinterpret_cast<const char*>(&nothing), sizeof(nothing));
  }
  const size_t at = object.find(room);
  if (at == std::string::npos) {
    return absl::NotFoundError("the BPF object has no room for an expression");
  }
  object.replace(at, code.size() * sizeof(bpf_insn), reinterpret_cast<const char*>(code.data()),
                 code.size() * sizeof(bpf_insn));
  return absl::OkStatus();
}

}  // namespace utrace
