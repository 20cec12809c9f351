// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_UTRACECTL_OUTPUT_STACK_TEXT_H_
#define UTRACE_UTRACECTL_OUTPUT_STACK_TEXT_H_

#include <string>

#include "userspace/symbols/stack_view.h"

namespace utrace {

// A line for each frame, as "    #0  0x00007ff32fed2503  read+0x23 in libc.so.6", and one more if
// the outermost was not reached. `verbose`: whole paths, lines of source, build ids.
std::string StackText(const StackView& stack, bool verbose);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_STACK_TEXT_H_
