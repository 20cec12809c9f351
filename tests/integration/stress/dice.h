// SPDX-License-Identifier: Apache-2.0
// Chance that comes the same way again with the same seed.
#ifndef TESTS_INTEGRATION_STRESS_DICE_H_
#define TESTS_INTEGRATION_STRESS_DICE_H_

#include <cstddef>
#include <cstdint>
#include <random>

namespace utrace::stress {

class Dice {
 public:
  // Of one seed, each role throws its own.
  Dice(uint64_t seed, uint64_t role) : engine_(seed * 0x9e3779b97f4a7c15u + role) {}

  // In [0, n).  By remainder, as no library's distribution is the same everywhere.
  uint64_t Below(uint64_t n) { return engine_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  uint64_t Bits() { return engine_(); }
  template <typename T, size_t n>
  const T& Of(const T (&values)[n]) {
    return values[Below(n)];
  }
  template <typename Container>
  const auto& Among(const Container& values) {
    return values[Below(values.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace utrace::stress

#endif  // TESTS_INTEGRATION_STRESS_DICE_H_
