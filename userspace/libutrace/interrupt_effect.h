// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_INTERRUPT_EFFECT_H_
#define UTRACE_LIBUTRACE_INTERRUPT_EFFECT_H_

#include "absl/strings/string_view.h"

namespace utrace {

// What a program sees of a blocking call that is broken without any signal handler running.
enum class InterruptEffect {
  kRestarts,  // nothing: the kernel begins the call anew, or goes on with it
  kFails,     // EINTR
  kMayFail,   // EINTR if a timeout was set on its socket, else nothing
  kUnknown,   // up to the file or driver, mostly nothing
};

// By the name of the call.
InterruptEffect EffectOfInterrupt(absl::string_view call);

// "returns EINTR: the program sees it" and the like.
absl::string_view Describe(InterruptEffect effect);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_INTERRUPT_EFFECT_H_
