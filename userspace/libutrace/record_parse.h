// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_RECORD_PARSE_H_
#define UTRACE_LIBUTRACE_RECORD_PARSE_H_

#include <optional>

#include "absl/status/statusor.h"
#include "userspace/libutrace/event.h"
#include "userspace/libutrace/frames.h"

namespace utrace {

// One record of include/uapi/utrace_records.h as an Event; nothing for a type this version does not
// know. Trusts no length in it: a file may hold anything.
absl::StatusOr<std::optional<Event>> ParseRecord(Bytes record);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_RECORD_PARSE_H_
