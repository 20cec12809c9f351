// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/engine_view.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <utility>

namespace utrace {

bool IsHeld(const utrace_info& info) {
  return info.flags & (UTRACE_INFO_HELD_REPORT | UTRACE_INFO_HELD_ASYNC);
}

bool IsAsleep(const utrace_info& info) { return IsHeld(info) && info.flags & UTRACE_INFO_ASLEEP; }

uint64_t MonotonicNow() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

size_t EngineView::Held() const {
  return static_cast<size_t>(std::count_if(threads.begin(), threads.end(), IsAsleep));
}

std::vector<pid_t> EngineView::Processes() const {
  std::set<pid_t> processes;
  for (const utrace_info& info : threads) processes.insert(info.tgid);
  return {processes.begin(), processes.end()};
}

std::vector<EngineView> ViewEngines(absl::Span<const utrace_info> infos) {
  std::map<uint64_t, EngineView> engines;
  for (const utrace_info& info : infos) {
    EngineView& engine = engines[info.engine];
    engine.id = info.engine;
    engine.owner = info.owner;
    engine.owner_comm.assign(info.owner_comm, ::strnlen(info.owner_comm, sizeof(info.owner_comm)));
    engine.of_kernel = info.flags & UTRACE_INFO_KERNEL;
    engine.trace_only = info.flags & UTRACE_INFO_TRACE;
    engine.nested = info.flags & UTRACE_INFO_NESTED;
    engine.events |= info.events;
    engine.threads.push_back(info);
  }
  std::vector<EngineView> views;
  for (auto& [id, engine] : engines) views.push_back(std::move(engine));
  return views;
}

ThreadView ViewThread(const ThreadInfo& info, absl::Span<const utrace_info> infos) {
  ThreadView view;
  view.info = info;
  if (info.Asleep()) view.call = CallInProgress(info.tid);
  if (info.tracer != 0) view.tracer = ReadThread(info.tracer).value_or(ThreadInfo());
  for (const utrace_info& entry : infos) {
    if (entry.tid == info.tid) view.engines.push_back(entry);
  }
  return view;
}

}  // namespace utrace
