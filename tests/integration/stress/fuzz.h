// SPDX-License-Identifier: Apache-2.0
// Calls of the device with arguments by chance: mostly well formed, about things that are there.
#ifndef TESTS_INTEGRATION_STRESS_FUZZ_H_
#define TESTS_INTEGRATION_STRESS_FUZZ_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "tests/integration/stress/board.h"

namespace utrace::stress {

// Four threads on a session or two, until killed.  Besides the targets they take @strangers for
// theirs.
int RunFuzzer(Board* board, const std::vector<pid_t>& strangers, uint64_t seed);

}  // namespace utrace::stress

#endif  // TESTS_INTEGRATION_STRESS_FUZZ_H_
