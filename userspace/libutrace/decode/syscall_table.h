// SPDX-License-Identifier: Apache-2.0
// What is known of each system call, from tables that the build makes out of the kernel's headers
// and syscalls.spec. All of it is constant data: nothing runs at start-up.
#ifndef UTRACE_LIBUTRACE_DECODE_SYSCALL_TABLE_H_
#define UTRACE_LIBUTRACE_DECODE_SYSCALL_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "syscall_ids_gen.h"
#include "userspace/libutrace/event.h"

namespace utrace {

// How an argument or a result reads. The first group are plain words of the width and sign that
// the prototype gives.
enum class ArgKind : uint8_t {
  kInt,
  kUint,
  kLong,
  kUlong,
  kHex,
  kAddr,
  kFd,
  kDirfd,
  kMode,  // permission bits
  kDev,   // device number
  kSignal,
  kOctal,
  kOffset,  // hexadecimal, zero included
  kString,  // cut at the string limit
  kPath,    // never cut
  kBuffer,
  kArgv,
  kFlags,   // SetId in ref
  kEnum,    // SetId in ref
  kStruct,  // StructId in ref
  kArray,   // of StructId in ref
  kNever,   // as a result: the call does not return
};

enum class Direction : uint8_t { kNone, kIn, kOut, kInOut };
enum class LengthFrom : uint8_t { kNone, kArg, kResult, kAt };

struct ArgInfo {
  const char* name;
  ArgKind kind;
  uint8_t ref;
  Direction direction;
  LengthFrom length_from;
  int8_t length_arg;
  bool is_signed;
  uint8_t width;  // 32 or 64
  uint16_t size;  // of the struct or of one element
};

struct SyscallInfo {
  const char* name;  // nullptr: no such number
  uint8_t arg_count;
  ArgKind result;
  CallForm form;
  ArgInfo args[6];
};

// nullptr for numbers the headers do not know, newer kernels' calls among them.
const SyscallInfo* FindSyscall(Abi abi, int64_t nr);

// "openat", or "syscall_0x1d0" for numbers unknown.
std::string SyscallName(Abi abi, int64_t nr);

std::optional<int> SyscallNumber(Abi abi, absl::string_view name);

// How many numbers the table of this ABI covers.
int SyscallCount(Abi abi);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DECODE_SYSCALL_TABLE_H_
