// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BRAKE_H_
#define UTRACE_LIBUTRACE_BRAKE_H_

#include <string>

#include "absl/status/status.h"

namespace utrace {

// The operator's emergency brake: every hold and every engine on the machine ends at once. Needs no
// session, only root.
absl::Status DetachEverything(const std::string& control = "/sys/class/misc/utrace/detach_all");

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BRAKE_H_
