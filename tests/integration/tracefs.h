// SPDX-License-Identifier: Apache-2.0
// The kernel's own tracers.
#ifndef TESTS_INTEGRATION_TRACEFS_H_
#define TESTS_INTEGRATION_TRACEFS_H_

#include <string>

namespace utrace::test {

// Writes a line to a file below /sys/kernel/tracing; 0 or an errno.  @flags: O_APPEND adds to what
// is there, O_TRUNC takes its place.
int WriteTracing(const std::string& name, const std::string& line, int flags);
std::string ReadTracing(const std::string& name);

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_TRACEFS_H_
