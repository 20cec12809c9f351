// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/engine_view.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace utrace {

bool IsHeld(const utrace_info& info) {
  return info.flags & (UTRACE_INFO_HELD_REPORT | UTRACE_INFO_HELD_ASYNC);
}

bool IsAsleep(const utrace_info& info) { return IsHeld(info) && info.flags & UTRACE_INFO_ASLEEP; }

std::string OwnerComm(const utrace_info& info) {
  return std::string(info.owner_comm, ::strnlen(info.owner_comm, sizeof(info.owner_comm)));
}

uint64_t MonotonicNow() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

size_t CountHeld(absl::Span<const utrace_info> threads) {
  return static_cast<size_t>(std::count_if(threads.begin(), threads.end(), IsAsleep));
}

void MoveThreadsToLoaded(std::vector<EngineView>* views, std::vector<LoadedEngine>* loaded) {
  const auto first_in_bpf = std::stable_partition(
      views->begin(), views->end(), [](const EngineView& view) { return !view.in_bpf; });
  for (auto view = first_in_bpf; view != views->end(); ++view) {
    auto engine = std::find_if(loaded->begin(), loaded->end(), [&](const LoadedEngine& one) {
      return one.name == view->owner_comm;
    });
    if (engine == loaded->end()) {
      engine = loaded->emplace(engine);
      engine->name = view->owner_comm;
      engine->events = view->events;
    }
    engine->id = view->id;
    engine->threads = std::move(view->threads);
  }
  views->erase(first_in_bpf, views->end());
}

std::vector<EngineView> ViewEngines(absl::Span<const utrace_info> infos) {
  std::map<uint64_t, EngineView> engines;
  for (const utrace_info& info : infos) {
    EngineView& engine = engines[info.engine];
    engine.id = info.engine;
    engine.owner = info.owner;
    engine.owner_comm = OwnerComm(info);
    engine.of_kernel = info.flags & UTRACE_INFO_KERNEL;
    engine.trace_only = info.flags & UTRACE_INFO_TRACE;
    engine.nested = info.flags & UTRACE_INFO_NESTED;
    engine.in_bpf = info.flags & UTRACE_INFO_BPF;
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
