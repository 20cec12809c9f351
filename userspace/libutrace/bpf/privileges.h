// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_PRIVILEGES_H_
#define UTRACE_LIBUTRACE_BPF_PRIVILEGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace utrace {

// Of the capabilities an observer needs, those this process does not have: "CAP_BPF"...
absl::StatusOr<std::vector<std::string>> MissingCapabilities();

// Whether this process has a capability, in effect.
absl::StatusOr<bool> HasCapability(int capability);

// Whether an observer can be loaded here at all: capabilities, kernel BTF, lockdown. The error
// names what is missing and the one command that mends it.
absl::Status CheckCanObserve();

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_PRIVILEGES_H_
