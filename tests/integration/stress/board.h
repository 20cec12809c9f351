// SPDX-License-Identifier: Apache-2.0
// What all processes of a run have in common: memory that outlives each of them.
#ifndef TESTS_INTEGRATION_STRESS_BOARD_H_
#define TESTS_INTEGRATION_STRESS_BOARD_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace utrace::stress {

constexpr int kTargets = 4;

struct Board {
  struct Target {
    std::atomic<pid_t> pid;
    // Rises with all that it does, also after an exec.
    std::atomic<uint64_t> beats;
  } targets[kTargets];
  // Calls of the device: of tracers those that were begun, of fuzzers those that were taken.  And
  // answers that were taken.
  std::atomic<uint64_t> calls;
  std::atomic<uint64_t> answers;
};

static_assert(std::atomic<uint64_t>::is_always_lock_free);

// A new one, zeroed; its file stays open in programs that are exec'ed.
Board* MakeBoard(int* fd);
// That of a file.
Board* MapBoard(int fd);

}  // namespace utrace::stress

#endif  // TESTS_INTEGRATION_STRESS_BOARD_H_
