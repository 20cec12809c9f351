// SPDX-License-Identifier: Apache-2.0
// A program that does a bit of everything that can be traced, for ever.
#ifndef TESTS_INTEGRATION_STRESS_TARGET_H_
#define TESTS_INTEGRATION_STRESS_TARGET_H_

#include <sys/types.h>

#include <cstdint>

namespace utrace::stress {

// Starts one as a program of its own, in a process group of its own; of a quiet one what it says is
// thrown away.
pid_t StartTarget(int board, int index, uint64_t seed, bool quiet);

// What that program does.
[[noreturn]] void RunTarget(int board, int index, uint64_t seed);

}  // namespace utrace::stress

#endif  // TESTS_INTEGRATION_STRESS_TARGET_H_
