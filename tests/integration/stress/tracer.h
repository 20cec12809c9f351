// SPDX-License-Identifier: Apache-2.0
// A process that does to the targets all that the device offers, as chance has it.
#ifndef TESTS_INTEGRATION_STRESS_TRACER_H_
#define TESTS_INTEGRATION_STRESS_TRACER_H_

#include <cstdint>

#include "tests/integration/stress/board.h"

namespace utrace::stress {

// Some hundreds of calls, with one thread or two on one session; returns a status to exit with.
int RunTracer(Board* board, uint64_t seed);
// The same by ptrace, one target at a time.
int RunDebugger(Board* board, uint64_t seed);

}  // namespace utrace::stress

#endif  // TESTS_INTEGRATION_STRESS_TRACER_H_
