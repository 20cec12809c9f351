// SPDX-License-Identifier: Apache-2.0
// A thread's stack as people read it.
#ifndef UTRACE_SYMBOLS_STACK_VIEW_H_
#define UTRACE_SYMBOLS_STACK_VIEW_H_

#include <cstddef>
#include <string>
#include <vector>

#include "userspace/libutrace/thread_snapshot.h"
#include "userspace/symbols/symbolizer.h"
#include "userspace/symbols/unwinder.h"

namespace utrace {

struct FrameView {
  Frame frame;
  Symbol symbol;
  SourceLine source;
  std::string build_id;
};

struct StackView {
  ThreadInfo info;
  std::vector<FrameView> frames;  // innermost first; none: it could not be caught off its CPU
  std::string cut;                // as Stack has it
};

struct StackOptions {
  size_t limit = 256;    // frames
  bool sources = false;  // lines of source, if there is debugging information: it takes long
};

StackView ViewStack(const ThreadSnapshot& thread, Unwinder& unwinder, Symbolizer& symbolizer,
                    const StackOptions& options);

}  // namespace utrace

#endif  // UTRACE_SYMBOLS_STACK_VIEW_H_
