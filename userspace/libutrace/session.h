// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_SESSION_H_
#define UTRACE_LIBUTRACE_SESSION_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "include/uapi/utrace.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/device.h"
#include "userspace/libutrace/engine.h"

namespace utrace {

// What an engine is put on. A process is named by a descriptor, so that a number used again by
// another process can never be meant.
class AttachTarget {
 public:
  static AttachTarget Thread(pid_t tid);
  // All threads, those being born too. `pid` is for messages only.
  static AttachTarget Process(const UniqueFd& pidfd, pid_t pid);
  // And every process it forks from now on.
  static AttachTarget ProcessAndChildren(const UniqueFd& pidfd, pid_t pid);

  // The same, by an engine that only feeds the module's tracepoints: it never holds.
  AttachTarget ForTracepoints() const;

  int32_t Value() const { return value_; }
  uint32_t Flags() const { return flags_; }
  const std::string& Name() const { return name_; }

 private:
  AttachTarget(int32_t value, uint32_t flags, std::string name)
      : value_(value), flags_(flags), name_(std::move(name)) {}

  int32_t value_;
  uint32_t flags_;
  std::string name_;
};

// An open device. All engines made here end with it, which also releases what they hold; so do
// they when this process dies.
class Session {
 public:
  static absl::StatusOr<std::unique_ptr<Session>> Open(std::unique_ptr<Device> device);
  // On the machine's own module.
  static absl::StatusOr<std::unique_ptr<Session>> Open();
  // On it, to list engines and let go of others' only.
  static absl::StatusOr<std::unique_ptr<Session>> OpenToLook();

  // A debugger that is to stop a thread held by an engine attached from here on gets it: its hold
  // ends in the debugger's stop.  Otherwise the debugger waits.
  void HandOver() { attach_flags_ |= UTRACE_TARGET_HANDOVER; }

  // Threads of an engine attached from here on are held for it before the engine whose turn is next
  // is told of the event, which then finds it as this one has left it.  As long as it is there, of
  // all engines on the thread.
  void Nest() { attach_flags_ |= UTRACE_TARGET_NESTED; }

  // Signals that the program ignores are queued for engines attached from here on which ask for
  // them: told before they are dropped, at the cost of waking the thread, which breaks calls such
  // as epoll_wait().
  void Intercept() { attach_flags_ |= UTRACE_TARGET_INTERCEPT; }

  // Asked anew at each call: hooks and engines come and go.
  absl::StatusOr<utrace_features> Features();

  absl::StatusOr<Engine> Attach(const AttachTarget& target, uint32_t events, uint64_t cookie = 0);

  // Another session's engine, to resume or detach it.
  Engine Foreign(uint64_t id);

  // Notices there are now; none if there are none.
  absl::StatusOr<std::vector<utrace_notice>> Read();

  // Gives `answer` (if not null), then waits for notices: one call a round trip. None by the end
  // of `timeout`: an empty list. EINTR: the answer was given, the wait was broken by a signal.
  absl::StatusOr<std::vector<utrace_notice>> Next(utrace_answer* answer, absl::Duration timeout);

  // Who is on whom: of process `tgid`, or of all (0).
  absl::StatusOr<std::vector<utrace_info>> List(pid_t tgid = 0);

  // Readable when Read() has something.
  int PollFd() const { return device_->PollFd(); }

 private:
  explicit Session(std::unique_ptr<Device> device) : device_(std::move(device)) {}

  std::unique_ptr<Device> device_;
  uint32_t attach_flags_ = 0;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_SESSION_H_
