// SPDX-License-Identifier: Apache-2.0
// Who runs when on the one CPU of a measurement.
#ifndef BENCH_CONTROL_CPU_H_
#define BENCH_CONTROL_CPU_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/control/child.h"

namespace utrace::bench {

absl::Status StayOnOneCpu();

// While it lives this process runs ahead of all others and of the kernel's own threads.
class Ahead {
 public:
  Ahead();
  ~Ahead();
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;
};

// CPU time of everybody: whatever the CPU does that is not idling, also in the kernel's own
// threads and what they do later.  A child takes all the idle time, and is asked how much it was.
class Meter {
 public:
  static absl::StatusOr<Meter> Create();
  // Ticks that @work cost until some time after its end, beyond what the guest does by itself.
  absl::StatusOr<double> Cost(const std::function<absl::Status()>& work) const;

 private:
  Meter(Child idler, clockid_t clock) : idler_(std::move(idler)), clock_(clock) {}

  absl::StatusOr<double> Busy(const std::function<absl::Status()>& work) const;

  Child idler_;
  clockid_t clock_;
};

}  // namespace utrace::bench

#endif  // BENCH_CONTROL_CPU_H_
