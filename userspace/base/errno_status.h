// SPDX-License-Identifier: Apache-2.0
// absl::Status that keeps the errno it came from: the canonical codes fold ESRCH, ENOENT and ENODEV
// into one, and much of the kernel contract is told by errno alone.
#ifndef UTRACE_BASE_ERRNO_STATUS_H_
#define UTRACE_BASE_ERRNO_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace utrace {

// "<what>: <text of error>". `what` is the attempt and its object: "open /dev/utrace".
absl::Status ErrnoStatus(int error, absl::string_view what);

// "<what>: <why>", where the reason is known better than by the errno's own words.
absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view why);

// For calls that set errno. Call it before anything else can change errno.
absl::Status LastErrno(absl::string_view what);

// For calls that return -errno.
absl::Status FromNegErrno(int result, absl::string_view what);

// The errno a Status was made from; 0 if there was none.
int ErrnoOf(const absl::Status& status);

// The same status with more text after its message, separated by `separator`; code and payloads
// stay.
absl::Status Annotate(const absl::Status& status, absl::string_view text,
                      absl::string_view separator = ": ");

// "Permission denied" and the like; safe among threads.
std::string ErrnoText(int error);

}  // namespace utrace

#endif  // UTRACE_BASE_ERRNO_STATUS_H_
