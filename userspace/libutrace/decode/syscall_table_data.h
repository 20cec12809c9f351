// SPDX-License-Identifier: Apache-2.0
// The generated tables, for the sources of this folder only.
#ifndef UTRACE_LIBUTRACE_DECODE_SYSCALL_TABLE_DATA_H_
#define UTRACE_LIBUTRACE_DECODE_SYSCALL_TABLE_DATA_H_

#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace::tables {

struct NamedValue {
  const char* name;
  uint64_t value;
};

struct ValueSet {
  absl::Span<const NamedValue> values;
  uint64_t mask;  // the part of the word that is a number, not bits; 0: none
};

struct ErrnoInfo {
  int value;
  const char* name;
  const char* text;
};

extern const absl::Span<const ValueSet> kSets;  // by SetId
extern const absl::Span<const SyscallInfo> kX86_64;
extern const absl::Span<const SyscallInfo> kI386;
extern const absl::Span<const ErrnoInfo> kErrnos;  // by value, ascending

}  // namespace utrace::tables

#endif  // UTRACE_LIBUTRACE_DECODE_SYSCALL_TABLE_DATA_H_
