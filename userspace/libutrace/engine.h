// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_ENGINE_H_
#define UTRACE_LIBUTRACE_ENGINE_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "include/uapi/utrace.h"
#include "userspace/libutrace/device.h"

namespace utrace {

// In place of a thread id: every thread of the engine.
inline constexpr pid_t kAllThreads = 0;

// What an asynchronous stop came to.
struct StopResult {
  bool stopped = false;   // now; else before it runs another instruction of its own
  uint64_t seq = 0;       // what a resume has to answer (for one thread)
  uint32_t affected = 0;  // threads
};

// What a resume or a detach came to.
struct Released {
  uint32_t affected = 0;        // threads released
  uint32_t held_by_others = 0;  // of these, still held by another engine
};

// An answer to `notice` that lets the thread go on as `action` says, to be given or completed.
utrace_answer AnswerTo(const utrace_notice& notice, uint32_t action = UTRACE_RESUME);

// A tracer on one thread or many, by its handle in a session that outlives this object. The handle
// owns nothing: an engine ends by Detach() or with its session.
class Engine {
 public:
  // `foreign`: of another session, which can only be resumed and detached, by who has the right.
  Engine(Device* device, uint64_t id, uint32_t threads, bool foreign)
      : device_(device), id_(id), threads_(threads), foreign_(foreign) {}

  uint64_t Id() const { return id_; }
  // Attached by the call that made it; newborn ones join by notice.
  uint32_t Threads() const { return threads_; }
  Device* device() const { return device_; }

  absl::Status SetEvents(uint32_t events, pid_t tid = kAllThreads);

  // System calls that SYSCALL_ENTRY and SYSCALL_EXIT are told for; none given: all.
  absl::Status SetSyscalls(absl::Span<const int> numbers);

  absl::StatusOr<StopResult> Stop(pid_t tid = kAllThreads);

  // A number that was never handed to this engine is refused with ERANGE and changes nothing.
  absl::StatusOr<Released> Resume(pid_t tid, uint64_t seq = UTRACE_SEQ_LATEST);

  // Breaks the blocking call that the thread is in.
  absl::Status Interrupt(pid_t tid);

  absl::StatusOr<Released> Detach(pid_t tid = kAllThreads);

  // Returns when no callback of this engine runs on the thread.
  absl::Status Barrier(pid_t tid);

  // Lets the thread go on from what `notice` told, as `action` says.
  absl::Status Answer(const utrace_notice& notice, uint32_t action = UTRACE_RESUME);
  // The same, with all that an answer may change.
  absl::Status Answer(utrace_answer answer);

 private:
  utrace_control ControlRequest(uint32_t action, pid_t tid) const;

  Device* device_;
  uint64_t id_;
  uint32_t threads_;
  bool foreign_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_ENGINE_H_
