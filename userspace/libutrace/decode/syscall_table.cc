// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/syscall_table.h"

#include "absl/strings/str_format.h"
#include "userspace/libutrace/decode/syscall_table_data.h"

namespace utrace {
namespace {

// x32 shares the 64-bit numbers, but for its own from 512 on, which no table here covers.
absl::Span<const SyscallInfo> TableOf(Abi abi) {
  return abi == Abi::kI386 ? tables::kI386 : tables::kX86_64;
}

}  // namespace

const SyscallInfo* FindSyscall(Abi abi, int64_t nr) {
  const absl::Span<const SyscallInfo> table = TableOf(abi);
  if (nr < 0 || static_cast<size_t>(nr) >= table.size()) return nullptr;
  const SyscallInfo& info = table[static_cast<size_t>(nr)];
  return info.name == nullptr ? nullptr : &info;
}

std::string SyscallName(Abi abi, int64_t nr) {
  if (const SyscallInfo* info = FindSyscall(abi, nr)) return info->name;
  return absl::StrFormat("syscall_0x%x", static_cast<uint64_t>(nr));
}

std::optional<int> SyscallNumber(Abi abi, absl::string_view name) {
  const absl::Span<const SyscallInfo> table = TableOf(abi);
  for (size_t nr = 0; nr < table.size(); ++nr) {
    if (table[nr].name != nullptr && name == table[nr].name) return static_cast<int>(nr);
  }
  return std::nullopt;
}

int SyscallCount(Abi abi) { return static_cast<int>(TableOf(abi).size()); }

}  // namespace utrace
