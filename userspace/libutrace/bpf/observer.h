// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_OBSERVER_H_
#define UTRACE_LIBUTRACE_BPF_OBSERVER_H_

#include <linux/bpf.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "include/uapi/utrace_records.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/bpf/lane_reader.h"
#include "userspace/libutrace/bpf/pending_calls.h"
#include "userspace/libutrace/record_source.h"
#include "userspace/libutrace/session.h"

struct observe_bpf;

namespace utrace {

class LibbpfLog;

struct ObserverOptions {
  bool follow = false;         // processes that traced ones create, too
  uint32_t data_limit = 32;    // bytes of read and write buffers and the like
  uint32_t path_limit = 4096;  // bytes of strings; UTRACE_PAYLOAD_MAX at most
  size_t ring_bytes = 0;       // of each CPU's ring, a power of two; 0: by their number
  // By syscall number; what lies beyond UTRACE_SYSCALLS is not used. Must live during Create only.
  absl::Span<const utrace_copy_rules> rules_x86_64;
  absl::Span<const utrace_copy_rules> rules_i386;
  // Which calls are recorded, as CompileExpression() has it; empty: all, and those in progress too.
  // Signals, births and deaths always are.
  std::vector<bpf_insn> chosen;
  // Take calls from the module's per-thread hook if that can be done, which costs no thread but the
  // traced ones anything; else from the raw tracepoint, as always without.
  bool use_module = true;
};

// The BPF engine: loaded and attached while this lives. Touches only what is added to it, never
// stops or delays a thread, and needs no module. If there is one, it has the module's hooks tell it
// of calls, by an engine that does nothing else, and records what the module alone knows.
class Observer : public RecordSource {
 public:
  static absl::StatusOr<std::unique_ptr<Observer>> Create(const ObserverOptions& options);
  ~Observer() override;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // Traces all threads of a process from now on, those being born meanwhile included.
  absl::Status AddProcess(pid_t pid);

  // Traces a process from its next exec on; nothing before that is shown. For a HeldCommand.
  absl::Status AddProcessAtExec(pid_t pid);

  // No new records from now on; what is in the ring can still be read, then AtEnd().
  void Detach();

  absl::Status Read(absl::Duration timeout, Sink sink) override;
  bool AtEnd() const override { return at_end_; }
  absl::StatusOr<uint64_t> Dropped() const override;

  // Threads traced and alive.
  uint64_t LiveThreads() const;

  // Whether calls come from the module's hook; if not, why not.
  bool CallsFromModule() const { return why_not_.ok(); }
  const absl::Status& WhyNotFromModule() const { return why_not_; }

 private:
  struct SkeletonDeleter {
    void operator()(observe_bpf* skeleton) const;
  };

  using Skeleton = std::unique_ptr<observe_bpf, SkeletonDeleter>;

  static absl::StatusOr<Skeleton> OpenPrograms(const std::vector<bpf_insn>& chosen,
                                               const LibbpfLog& log);
  static absl::StatusOr<Skeleton> LoadPrograms(const ObserverOptions& options, bool module);
  Observer(const ObserverOptions& options, Skeleton skeleton, std::unique_ptr<LaneReader> lanes,
           std::unique_ptr<Session> session, absl::Status why_not);

  absl::Status Add(pid_t pid, uint32_t flags);
  absl::Status AttachEngine(const UniqueFd& pidfd, pid_t pid);
  absl::Status LeaveModule(absl::Status why);
  absl::Status ReadLanes(Sink sink, size_t& got);
  absl::Status ScanPending(Sink sink, size_t& got);
  bool NothingMoreComes();

  const bool follow_;
  Skeleton skeleton_;
  std::unique_ptr<LaneReader> lanes_;
  std::unique_ptr<Session> session_;  // while calls come from the module
  absl::Status why_not_;
  PendingCalls pending_;
  std::string frames_;
  absl::Time next_scan_ = absl::InfinitePast();
  absl::Time next_look_ = absl::InfinitePast();
  absl::Time no_threads_since_ = absl::InfiniteFuture();
  int scans_in_vain_ = 0;  // in a row, that found nobody alive though somebody should be
  const absl::Duration long_nap_;
  absl::Duration nap_;
  bool has_targets_ = false;
  bool newly_attached_ = false;
  bool detached_ = false;
  bool at_end_ = false;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_OBSERVER_H_
