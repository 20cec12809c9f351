// SPDX-License-Identifier: Apache-2.0
// What is to be done to which calls, in strace's words:
// CALLS:ACTION[:ACTION...][:when=...][:if=...].
#ifndef UTRACE_UTRACECTL_INJECTION_H_
#define UTRACE_UTRACECTL_INJECTION_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace utrace {

struct Injection {
  std::string text;        // as it was given
  std::string expression;  // about which calls it is (predicate/expression.h, Moment::kEntry)
  // Options of the engine BuiltInEngine::kFaultInject, by which it is done.
  std::vector<std::pair<std::string, std::string>> settings;
};

// CALLS: names with commas between, or "all". ACTION: error=ERRNO, retval=VALUE, signal=SIGNAL,
// delay=TIME (a number is of microseconds, or has us, ms or s behind it), arg0=VALUE to arg5=VALUE.
// when=FIRST[..LAST][+[STEP]] counts the calls of each thread, from 1 on. if=EXPR is the last, and
// takes all that follows.
absl::StatusOr<Injection> ParseInjection(absl::string_view text);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_INJECTION_H_
