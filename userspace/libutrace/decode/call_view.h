// SPDX-License-Identifier: Apache-2.0
// One call while it is being put into words; for the sources of this folder.
#ifndef UTRACE_LIBUTRACE_DECODE_CALL_VIEW_H_
#define UTRACE_LIBUTRACE_DECODE_CALL_VIEW_H_

#include <optional>
#include <string>

#include "userspace/libutrace/decode/call_text.h"

namespace utrace {

struct CallView {
  const SyscallArgs& call;
  const SyscallInfo& info;
  const DecodeOptions& options;
  std::optional<int64_t> ret;  // unset while pending, and for a call its thread died in

  uint64_t Arg(size_t index) const { return call.args[index]; }
  uint32_t Word(size_t index) const { return static_cast<uint32_t>(call.args[index]); }
  bool Failed() const { return ret.has_value() && CallError(*ret) != 0; }

  // What was copied from where the argument points; nullptr if nothing was or could be.
  const Payload* Memory(size_t index) const;

  // The argument as its ArgInfo says.
  std::string Text(size_t index) const;
  std::string Text(size_t index, const ArgInfo& arg) const;
  std::string Text(size_t index, ArgKind kind) const;
};

// Gives calls whose arguments depend on one another their own reading of `text`, whose args are
// filled in plainly.
void ApplyForm(const CallView& view, CallText* text);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DECODE_CALL_VIEW_H_
