// SPDX-License-Identifier: Apache-2.0
// --background: who keeps a session open when its command has returned.
#ifndef UTRACE_UTRACECTL_HOLDER_H_
#define UTRACE_UTRACECTL_HOLDER_H_

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace utrace {

// The name that ps(1) and utracectl ps show. The kernel's own, shorter, name for it is cut.
inline constexpr char kHolderName[] = "utracectl-holder";

// What the work calls once all is said that the user waits for; the starting command then exits
// with `status`, and what is printed later goes nowhere.
using Ready = std::function<void(int status)>;

// In the foreground nobody waits: does nothing.
void StayInForeground(int status);

// Runs `work` in a process of its own, in a session of its own, named kHolderName and
// `arguments`. Gives the exit status of the starting command: Ready's, or the work's own if it ends
// before.
int RunAsHolder(const std::string& arguments, const std::function<int(const Ready&)>& work);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_HOLDER_H_
