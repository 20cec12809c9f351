// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/copy_rules.h"

#include <algorithm>
#include <initializer_list>

#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {
namespace {

uint8_t LengthRule(LengthFrom from) {
  switch (from) {
    case LengthFrom::kNone:
      return UTRACE_LEN_FIXED;
    case LengthFrom::kArg:
      return UTRACE_LEN_ARG;
    case LengthFrom::kResult:
      return UTRACE_LEN_RESULT;
    case LengthFrom::kAt:
      return UTRACE_LEN_AT;
  }
  return UTRACE_LEN_FIXED;
}

// Kind NONE if there is nothing to copy.
utrace_copy_rule RuleFor(const ArgInfo& arg, int index) {
  utrace_copy_rule rule{};
  if (arg.direction == Direction::kNone) return rule;
  rule.arg = static_cast<uint8_t>(index);
  if (arg.direction == Direction::kOut) rule.flags |= UTRACE_COPY_F_RESULT;
  switch (arg.kind) {
    case ArgKind::kString:
    case ArgKind::kPath:
      rule.kind = UTRACE_COPY_STRING;
      break;
    case ArgKind::kArgv:
      rule.kind = UTRACE_COPY_STRINGS;
      break;
    case ArgKind::kBuffer:
    case ArgKind::kStruct:
    case ArgKind::kArray:
      rule.kind = UTRACE_COPY_BYTES;
      rule.size = std::max<uint16_t>(arg.size, 1);
      rule.len_from = LengthRule(arg.length_from);
      rule.len_arg = static_cast<uint8_t>(std::max<int>(arg.length_arg, 0));
      if (arg.kind != ArgKind::kBuffer) rule.flags |= UTRACE_COPY_F_WHOLE;
      break;
    default:
      break;
  }
  return rule;
}

// Its number plus 1, or 0, of what the call takes.
uint8_t FirstOf(std::initializer_list<ArgKind> kinds, const SyscallInfo& info) {
  for (int i = 0; i < info.arg_count; ++i) {
    const bool is_one = std::find(kinds.begin(), kinds.end(), info.args[i].kind) != kinds.end();
    if (is_one && info.args[i].direction != Direction::kOut) return static_cast<uint8_t>(i + 1);
  }
  return 0;
}

}  // namespace

CopyRuleTable CopyRulesFor(Abi abi) {
  CopyRuleTable table{};
  const int count = std::min(SyscallCount(abi), UTRACE_SYSCALLS);
  for (int nr = 0; nr < count; ++nr) {
    const SyscallInfo* info = FindSyscall(abi, nr);
    if (info == nullptr) continue;
    utrace_copy_rules& rules = table[static_cast<size_t>(nr)];
    // What the call does not take is not recorded.
    rules.args = static_cast<uint8_t>(info->arg_count + 1);
    rules.path = FirstOf({ArgKind::kPath}, *info);
    rules.fd = FirstOf({ArgKind::kFd, ArgKind::kDirfd}, *info);
    int used = 0;
    for (int i = 0; i < info->arg_count && used < UTRACE_COPY_RULES; ++i) {
      const utrace_copy_rule rule = RuleFor(info->args[i], i);
      if (rule.kind != UTRACE_COPY_NONE) rules.rule[used++] = rule;
    }
  }
  return table;
}

}  // namespace utrace
