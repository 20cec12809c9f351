// SPDX-License-Identifier: Apache-2.0
// Names of numbers: flag words, enumerations, errnos, signals.
#ifndef UTRACE_LIBUTRACE_DECODE_CONSTANTS_H_
#define UTRACE_LIBUTRACE_DECODE_CONSTANTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {

// "O_RDONLY|O_CLOEXEC"; what has no name follows in hexadecimal.
std::string FlagsText(SetId set, uint64_t value);

// The name of exactly this value, or empty.
absl::string_view EnumName(SetId set, uint64_t value);

// EnumName, or the number in hexadecimal.
std::string EnumText(SetId set, uint64_t value);

// "ENOENT"; empty if there is no such error. The kernel's own restart codes are among them.
absl::string_view ErrnoName(int error);
absl::string_view ErrnoMessage(int error);
// Results from minus this to -1 are errors.
inline constexpr int64_t kLargestErrno = 4095;
// By that name; 0 if there is none.
int ErrnoNumber(absl::string_view name);

// Of a name in any set: "O_CREAT".
std::optional<uint64_t> ConstantValue(absl::string_view name);

// "SIGCHLD", "SIGRT_3", or the number.
std::string SignalName(int signo);
// By that name, with or without its SIG; 0 if there is none.
int SignalNumber(absl::string_view name);

// Name of siginfo's code, whose meaning depends on the signal.
std::string SignalCodeText(int signo, int code);

// Those the processor raises, with an address in their siginfo.
bool IsFaultSignal(int signo);

// "[INT TERM]" or "~[RTMIN]" for a kernel signal set of 64 bits.
std::string SignalSetText(uint64_t set);

// "S_IFREG|0644"
std::string FileModeText(uint32_t mode);

// "0644"
std::string PermissionText(uint32_t mode);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DECODE_CONSTANTS_H_
