// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/snapshot.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/register_reader.h"
#include "userspace/libutrace/process_maps.h"

namespace utrace {
namespace {

// Threads that run come by in far less, and so do those that are about to sleep.
constexpr absl::Duration kSettle = absl::Seconds(1);
constexpr absl::Duration kTick = absl::Milliseconds(1);
// Below its stack pointer a function that calls no other may keep what it likes (System V ABI).
constexpr uint64_t kRedZone = 128;
// Some thousand frames. What a thread runs on may lie in a heap, as with Go, and end nowhere soon;
// all are stopped while this is copied.
constexpr uint64_t kStackLimit = 1 << 20;

using ByThread = std::map<pid_t, utrace_thread_registers>;

bool Same(const utrace_thread_registers& a, const utrace_thread_registers& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

std::vector<ThreadSnapshot> Begin(const std::vector<pid_t>& threads) {
  std::vector<ThreadSnapshot> snapshots;
  for (const pid_t tid : threads) {
    const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
    if (!info.ok() || info->Dead()) continue;
    ThreadSnapshot snapshot;
    snapshot.info = *info;
    snapshots.push_back(std::move(snapshot));
  }
  return snapshots;
}

bool HasEnded(const ThreadSnapshot& snapshot) {
  if (snapshot.registers.has_value()) return false;
  const absl::StatusOr<ThreadInfo> now = ReadThread(snapshot.info.tid);
  return !now.ok() || now->Dead() || now->start_ticks != snapshot.info.start_ticks;
}

void CopyStack(pid_t pid, const std::vector<Mapping>& mappings, ThreadSnapshot* snapshot) {
  snapshot->stack.clear();
  const uint64_t sp = snapshot->registers->sp;
  const Mapping* mapping = MappingAt(mappings, sp);
  if (mapping == nullptr) return;
  const uint64_t begin = sp - std::min(kRedZone, sp - mapping->begin);
  snapshot->stack_begin = begin;
  snapshot->stack.resize(std::min(mapping->end - begin, kStackLimit));
  iovec here{snapshot->stack.data(), snapshot->stack.size()};
  iovec there{reinterpret_cast<void*>(begin), snapshot->stack.size()};
  const ssize_t done = ::process_vm_readv(pid, &here, 1, &there, 1, 0);
  snapshot->stack.resize(done > 0 ? static_cast<size_t>(done) : 0);
}

// Whoever is on no CPU now, and not caught before: its registers and its stack, unless it has run
// while they were copied.  False if somebody who is there was not caught.
absl::StatusOr<bool> Catch(pid_t pid, RegisterReader& reader,
                           std::vector<ThreadSnapshot>* snapshots) {
  ASSIGN_OR_RETURN(const ByThread before, reader.Read());
  ASSIGN_OR_RETURN(const std::vector<Mapping> mappings, ReadMappings(pid));
  std::vector<ThreadSnapshot*> caught;
  for (ThreadSnapshot& snapshot : *snapshots) {
    const auto thread = before.find(snapshot.info.tid);
    if (snapshot.registers.has_value() || thread == before.end()) continue;
    if (thread->second.on_cpu != 0) continue;
    snapshot.registers = thread->second.registers;
    CopyStack(pid, mappings, &snapshot);
    caught.push_back(&snapshot);
  }
  ASSIGN_OR_RETURN(const ByThread after, reader.Read());
  for (ThreadSnapshot* snapshot : caught) {
    const auto thread = after.find(snapshot->info.tid);
    if (thread == after.end() || !Same(before.at(snapshot->info.tid), thread->second)) {
      snapshot->registers.reset();
    }
  }
  return std::all_of(snapshots->begin(), snapshots->end(), [&](const ThreadSnapshot& snapshot) {
    return snapshot.registers.has_value() || after.find(snapshot.info.tid) == after.end();
  });
}

}  // namespace

absl::StatusOr<std::vector<ThreadSnapshot>> TakeSnapshot(pid_t pid,
                                                         const std::vector<pid_t>& threads,
                                                         std::optional<Engine> engine) {
  // Before anybody is stopped: it takes a while.
  ASSIGN_OR_RETURN(const std::unique_ptr<RegisterReader> reader, RegisterReader::Open(pid));
  std::vector<ThreadSnapshot> snapshots = Begin(threads);
  const absl::Cleanup let_go = [&engine] {
    if (engine.has_value()) engine->Detach().status().IgnoreError();
  };
  // One that is to stop does not go back to its program: from when it is off its CPU, it stays as
  // it is, in whatever call that may be.
  if (engine.has_value()) RETURN_IF_ERROR(engine->Stop().status());
  const absl::Time deadline = absl::Now() + kSettle;
  for (;;) {
    ASSIGN_OR_RETURN(const bool all, Catch(pid, *reader, &snapshots));
    if (all || absl::Now() >= deadline) break;
    absl::SleepFor(kTick);
  }
  snapshots.erase(std::remove_if(snapshots.begin(), snapshots.end(), HasEnded), snapshots.end());
  return snapshots;
}

}  // namespace utrace
