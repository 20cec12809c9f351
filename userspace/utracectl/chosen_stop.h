// SPDX-License-Identifier: Apache-2.0
// stop --at ... --if: threads held at a call that an expression chooses, decided in the kernel by
// an engine in BPF, for as long as this process keeps it.
#ifndef UTRACE_UTRACECTL_CHOSEN_STOP_H_
#define UTRACE_UTRACECTL_CHOSEN_STOP_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "userspace/utracectl/holder.h"
#include "userspace/utracectl/thread_target.h"

namespace utrace {

struct ChosenStop {
  std::string call;  // its name
  std::string condition;
  bool handover = false;
  bool background = false;
  absl::Duration wait = absl::ZeroDuration();  // until the first is held; zero: for ever
};

// Each thread is held once. Until the process ends, all that were held are let go by others, or we
// are asked to end. Returns the exit status.
absl::StatusOr<int> RunChosenStop(const ThreadTarget& target, const ChosenStop& stop,
                                  const Ready& ready);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_CHOSEN_STOP_H_
