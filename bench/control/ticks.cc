// SPDX-License-Identifier: Apache-2.0
#include "bench/control/ticks.h"

#include <algorithm>

namespace utrace::bench {

double TicksPerInstruction() {
  constexpr uint64_t kTurns = 100000;
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 9; ++i) {
    uint64_t turns = kTurns;
    const uint64_t begin = Ticks();
    asm volatile("1: dec %0\n\tjnz 1b" : "+r"(turns) : : "cc");
    least = std::min(least, Ticks() - begin);
  }
  return static_cast<double>(least) / (2 * kTurns);
}

}  // namespace utrace::bench
