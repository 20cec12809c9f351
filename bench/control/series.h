// SPDX-License-Identifier: Apache-2.0
#ifndef BENCH_CONTROL_SERIES_H_
#define BENCH_CONTROL_SERIES_H_

#include <algorithm>
#include <cstdio>
#include <vector>

namespace utrace::bench {

// Samples of one quantity.
class Series {
 public:
  void Add(double sample) { samples_.push_back(sample); }

  // Of an empty one 0.
  double Median() const {
    if (samples_.empty()) return 0;
    std::vector<double> sorted = samples_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }

 private:
  std::vector<double> samples_;
};

// A line of results, as bench/run reads it.
inline void Tell(const char* name, double value) {
  std::printf("%s %.6g\n", name, value);
  std::fflush(stdout);
}

}  // namespace utrace::bench

#endif  // BENCH_CONTROL_SERIES_H_
