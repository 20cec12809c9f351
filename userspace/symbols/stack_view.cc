// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbols/stack_view.h"

#include <utility>

namespace utrace {

StackView ViewStack(const ThreadSnapshot& thread, Unwinder& unwinder, Symbolizer& symbolizer,
                    const StackOptions& options) {
  StackView view;
  view.info = thread.info;
  if (!thread.registers.has_value()) return view;
  Stack stack = unwinder.Unwind(thread, options.limit);
  view.cut = std::move(stack.cut);
  for (const Frame& frame : stack.frames) {
    FrameView seen;
    seen.frame = frame;
    const uint64_t inside = frame.Inside();
    seen.symbol = symbolizer.Resolve(inside);
    if (seen.symbol.name.empty()) {
      // A file that has gone from its path, as after an upgrade, is known to the unwinder alone.
      uint64_t offset = 0;
      seen.symbol.name = unwinder.NameOf(inside, &offset);
      if (!seen.symbol.name.empty()) seen.symbol.offset = offset;
    }
    seen.symbol.offset += frame.pc - inside;
    seen.build_id = unwinder.BuildIdOf(inside);
    if (options.sources) seen.source = unwinder.SourceOf(inside);
    view.frames.push_back(std::move(seen));
  }
  return view;
}

}  // namespace utrace
