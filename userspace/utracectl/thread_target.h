// SPDX-License-Identifier: Apache-2.0
// Whom to hold: PID or PID/TID as users write it, checked before anything is attached.
#ifndef UTRACE_UTRACECTL_THREAD_TARGET_H_
#define UTRACE_UTRACECTL_THREAD_TARGET_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/process_info.h"
#include "userspace/libutrace/session.h"

namespace utrace {

// Numbers as given. tid 0: all threads.
struct ThreadId {
  pid_t pid = 0;
  pid_t tid = 0;
};

absl::StatusOr<ThreadId> ParseThreadId(absl::string_view text);
// For the parser of the command line: what is wrong with it, or nothing.
std::string ThreadIdError(const std::string& text);

// What ptrace would refuse, the module refuses by a bare errno: the error that says why, and what
// to do. `process` is "nginx (812)", which runs as `uid`.
absl::Status ExplainRefusal(const absl::Status& refused, absl::string_view attempt,
                            absl::string_view process, uid_t uid);

// A living process, or thread of one, that may be held at all: none of the kernel's, not ourselves.
class ThreadTarget {
 public:
  // `attempt` begins the error: "stop".
  static absl::StatusOr<ThreadTarget> Open(absl::string_view attempt, ThreadId id);

  pid_t Pid() const { return id_.pid; }
  pid_t Tid() const { return id_.tid; }
  bool WholeProcess() const { return id_.tid == 0; }
  // As resume takes it: "812" or "812/815".
  std::string Argument() const;
  // "nginx (812)".
  const std::string& ProcessText() const { return process_text_; }
  const ThreadInfo& Leader() const { return leader_; }
  const UniqueFd& Pidfd() const { return pidfd_; }

  // The threads meant, those that exist now.
  absl::StatusOr<std::vector<pid_t>> Threads() const;

  // Attaches to the process that was checked, never to another that has got its number since.
  // What ptrace would refuse is refused, and the error says why and what to do.
  absl::StatusOr<Engine> Attach(Session& session, uint32_t events, bool children = false) const;

  // Why what was done to it failed: that it ended meanwhile, if it did.
  absl::Status EndedOr(const absl::Status& failed) const;

 private:
  ThreadTarget(std::string attempt, ThreadId id) : attempt_(std::move(attempt)), id_(id) {}

  std::string attempt_;
  ThreadId id_;
  std::string process_text_;
  ThreadInfo leader_;
  uint64_t start_ticks_ = 0;  // of the thread meant
  UniqueFd pidfd_;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_THREAD_TARGET_H_
