// SPDX-License-Identifier: Apache-2.0
// The module's list, which has an entry for each engine on each thread, seen by engine and by
// thread.
#ifndef UTRACE_LIBUTRACE_ENGINE_VIEW_H_
#define UTRACE_LIBUTRACE_ENGINE_VIEW_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "include/uapi/utrace.h"
#include "userspace/libutrace/process_info.h"

namespace utrace {

// Asked to be held: asleep there now, or before its next instruction.
bool IsHeld(const utrace_info& info);
bool IsAsleep(const utrace_info& info);

// Its owner's; of one in BPF its name.
std::string OwnerComm(const utrace_info& info);

struct EngineView {
  uint64_t id = 0;
  pid_t owner = 0;
  std::string owner_comm;
  bool of_kernel = false;
  bool trace_only = false;
  bool nested = false;
  bool in_bpf = false;  // of no process; owner_comm is its name
  uint32_t events = 0;  // of any of its threads
  std::vector<utrace_info> threads;
};

// CLOCK_MONOTONIC, by which the module tells since when.
uint64_t MonotonicNow();

// By id.
std::vector<EngineView> ViewEngines(absl::Span<const utrace_info> infos);

struct ThreadView {
  ThreadInfo info;
  int call = -1;      // that it sleeps in
  ThreadInfo tracer;  // tid 0: none
  std::vector<utrace_info> engines;
};

// Of thread `tid`; `infos` may be of others too.
ThreadView ViewThread(const ThreadInfo& info, absl::Span<const utrace_info> infos);

// Processes that have programs of our BPF observer loaded. These have no handle of their own: they
// end with it.
struct RunningObserver {
  pid_t owner = 0;
  std::string owner_comm;
  int64_t threads = -1;  // observed now; -1: not known
};

// An engine in BPF, attached by a link: it belongs to whoever has that open, or pinned it.
struct LoadedEngine {
  std::string name;
  uint64_t id = 0;  // as the module has it; 0: it is on no thread
  uint32_t link_id = 0;
  uint32_t program = 0;        // one of its programs, by its number in the kernel
  pid_t target = 0;            // that it began on, as its loader knew it; 0: none, or not known
  std::optional<bool> pinned;  // root sees it
  bool every_exec = false;     // it comes to whatever is run; root sees it
  bool cgroup = false;         // it is on those of a control group; root sees it
  uint32_t events = 0;
  std::vector<utrace_info> threads;
};

// Takes those in BPF out of `views`: each of `loaded` gets its threads, and any other, which only
// root could have found there, comes to them.
void MoveThreadsToLoaded(std::vector<EngineView>* views, std::vector<LoadedEngine>* loaded);

// Of these, those that are asleep where they are held.
size_t CountHeld(absl::Span<const utrace_info> threads);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_ENGINE_VIEW_H_
