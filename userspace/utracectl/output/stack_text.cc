// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/output/stack_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace utrace {
namespace {

absl::string_view BaseName(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string FrameLine(size_t number, const FrameView& frame, bool verbose) {
  const Symbol& symbol = frame.symbol;
  std::string line = absl::StrFormat("    #%-2d 0x%016x ", number, frame.frame.pc);
  if (!symbol.name.empty()) {
    absl::StrAppendFormat(&line, " %s+0x%x", symbol.name, symbol.offset);
  } else {
    absl::StrAppend(&line, " ??");
  }
  if (!symbol.module.empty()) {
    absl::StrAppend(&line, " in ",
                    verbose ? absl::string_view(symbol.module) : BaseName(symbol.module));
    if (symbol.name.empty()) absl::StrAppendFormat(&line, "+0x%x", symbol.offset);
  }
  if (frame.source.line != 0) {
    absl::StrAppend(&line, " at ", frame.source.file, ":", frame.source.line);
  }
  if (verbose && !frame.build_id.empty()) absl::StrAppend(&line, " [", frame.build_id, "]");
  return line + "\n";
}

}  // namespace

std::string StackText(const StackView& stack, bool verbose) {
  std::string text;
  for (size_t i = 0; i < stack.frames.size(); ++i) {
    text += FrameLine(i, stack.frames[i], verbose);
  }
  if (!stack.cut.empty()) absl::StrAppend(&text, "    no further: ", stack.cut, "\n");
  return text;
}

}  // namespace utrace
