// SPDX-License-Identifier: Apache-2.0
// What an observer is to copy of the memory that the arguments of each call point to: the same
// table that the decoders read by.
#ifndef UTRACE_LIBUTRACE_DECODE_COPY_RULES_H_
#define UTRACE_LIBUTRACE_DECODE_COPY_RULES_H_

#include <array>

#include "include/uapi/utrace_records.h"
#include "userspace/libutrace/event.h"

namespace utrace {

using CopyRuleTable = std::array<utrace_copy_rules, UTRACE_SYSCALLS>;

// By syscall number. kX32 calls share the 64-bit table.
CopyRuleTable CopyRulesFor(Abi abi);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DECODE_COPY_RULES_H_
