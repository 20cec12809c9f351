// SPDX-License-Identifier: Apache-2.0
// A process that finds out what a system call of its own costs.
#ifndef BENCH_CONTROL_CALLER_H_
#define BENCH_CONTROL_CALLER_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "bench/control/child.h"

namespace utrace::bench {

class Caller {
 public:
  // `prepare` runs in it before all else; what it returns other than 0 is its end.
  static absl::StatusOr<std::unique_ptr<Caller>> Start(const std::function<int()>& prepare = [] {
    return 0;
  });

  pid_t Pid() const { return child_->Pid(); }

  // Ticks for a getpid, the median of batches of them.
  absl::StatusOr<double> Cost();

 private:
  Caller() = default;
  [[noreturn]] void Serve();

  Shared asked_, answered_, ticks_;
  std::optional<Child> child_;
};

}  // namespace utrace::bench

#endif  // BENCH_CONTROL_CALLER_H_
