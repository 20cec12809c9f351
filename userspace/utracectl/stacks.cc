// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/stacks.h"

#include <memory>

#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/snapshot.h"
#include "userspace/symbols/symbolizer.h"
#include "userspace/symbols/unwinder.h"

namespace utrace {

absl::StatusOr<std::vector<StackView>> StacksOf(pid_t pid, const std::vector<pid_t>& threads,
                                                std::optional<Engine> engine,
                                                const StackOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<ThreadSnapshot> snapshots, TakeSnapshot(pid, threads, engine));
  ASSIGN_OR_RETURN(const std::unique_ptr<Unwinder> unwinder, Unwinder::Open(pid));
  Symbolizer symbolizer(pid);
  std::vector<StackView> stacks;
  for (const ThreadSnapshot& snapshot : snapshots) {
    stacks.push_back(ViewStack(snapshot, *unwinder, symbolizer, options));
  }
  return stacks;
}

}  // namespace utrace
