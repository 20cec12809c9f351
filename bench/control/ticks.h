// SPDX-License-Identifier: Apache-2.0
// Costs are counted in ticks of the processor's time stamp counter.  In a guest of
// `vm/run --icount` one tick is one guest instruction; elsewhere it is time.
#ifndef BENCH_CONTROL_TICKS_H_
#define BENCH_CONTROL_TICKS_H_

#include <x86intrin.h>

#include <cstdint>

namespace utrace::bench {

inline uint64_t Ticks() {
  const uint64_t ticks = __rdtsc();
  // What is measured stays where it was written.
  asm volatile("" ::: "memory");
  return ticks;
}

// Ticks for each instruction of a loop of them: 1 where ticks count instructions.
double TicksPerInstruction();

}  // namespace utrace::bench

#endif  // BENCH_CONTROL_TICKS_H_
