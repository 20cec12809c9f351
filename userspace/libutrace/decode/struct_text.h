// SPDX-License-Identifier: Apache-2.0
// Structs that calls read and write, as text. The bytes are the kernel's 64-bit layouts.
#ifndef UTRACE_LIBUTRACE_DECODE_STRUCT_TEXT_H_
#define UTRACE_LIBUTRACE_DECODE_STRUCT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {

// A copy of what lies at `offset`; zero where the bytes end before.
template <typename T>
T Load(absl::string_view bytes, size_t offset) {
  T value{};
  if (offset + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// "NULL" or hexadecimal.
std::string AddressText(uint64_t address);

// Empty if this struct has no text form or the bytes are too few.
std::string StructText(StructId id, absl::string_view bytes);

// The address families that people meet.
std::string SocketAddressText(absl::string_view bytes);

// "{WIFEXITED(s) && WEXITSTATUS(s) == 0}"
std::string WaitStatusText(uint32_t status);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DECODE_STRUCT_TEXT_H_
