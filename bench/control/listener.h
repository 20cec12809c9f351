// SPDX-License-Identifier: Apache-2.0
#ifndef BENCH_CONTROL_LISTENER_H_
#define BENCH_CONTROL_LISTENER_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace utrace::bench {

// An engine of the kernel that hears and lets happen, or steps a thread: the sample module
// event_count, loaded as long as this lives.
class Listener {
 public:
  static absl::StatusOr<std::unique_ptr<Listener>> Load();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Of this thread, in place of another; `steps`: from instruction to instruction.
  absl::Status Hear(pid_t tid, uint32_t events, bool steps = false);
  absl::Status Leave();
  // How often it was called for the event.
  absl::StatusOr<uint64_t> Count(uint32_t event_bit) const;

 private:
  Listener() = default;
};

}  // namespace utrace::bench

#endif  // BENCH_CONTROL_LISTENER_H_
