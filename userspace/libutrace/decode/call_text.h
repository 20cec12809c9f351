// SPDX-License-Identifier: Apache-2.0
// A system call as its parts of text: name, arguments, result.
#ifndef UTRACE_LIBUTRACE_DECODE_CALL_TEXT_H_
#define UTRACE_LIBUTRACE_DECODE_CALL_TEXT_H_

#include <string>
#include <vector>

#include "userspace/libutrace/decode/syscall_table.h"
#include "userspace/libutrace/event.h"

namespace utrace {

struct DecodeOptions {
  size_t string_limit = 32;
};

struct ArgText {
  size_t index = 0;  // among the call's arguments
  std::string name;
  uint64_t value = 0;
  std::string text;
};

struct CallText {
  std::string name;
  std::vector<ArgText> args;
  // How many of the arguments are known before the kernel has done its work: those before the
  // first that it fills in.
  size_t known_at_entry = 0;
  std::string result;  // "3", "-1 ENOENT (No such file or directory)", "?"; empty while pending
};

CallText DescribeCall(const SyscallEvent& call, const DecodeOptions& options);
CallText DescribeCall(const PendingEvent& call, const DecodeOptions& options);

// The errno of a failed call, the kernel's restart codes included; 0 if it did not fail.
int CallError(int64_t ret);

// ["ls", "-l"]
std::string ArgvText(const std::vector<std::string>& argv, bool truncated,
                     const DecodeOptions& options);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DECODE_CALL_TEXT_H_
