// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_HELD_COMMAND_H_
#define UTRACE_LIBUTRACE_HELD_COMMAND_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

// As whom a command runs, if not as its tracer.
struct CommandUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// A command that waits before its exec until it is released, so that nothing of it is missed.
// Dropped without a release, it never runs.
class HeldCommand {
 public:
  // Finds argv[0] as a shell would. ENOENT and EACCES (see ErrnoOf) say that it is not there or
  // cannot be executed.
  static absl::StatusOr<HeldCommand> Spawn(const std::vector<std::string>& argv,
                                           const std::optional<CommandUser>& user);

  HeldCommand(HeldCommand&&) = default;
  HeldCommand& operator=(HeldCommand&&) = default;

  pid_t Pid() const { return pid_; }

  // Returns once the new program runs; or why exec failed, with its errno, and the process is gone.
  absl::Status Release();

  // The two halves of it, for who holds the command at its exec: the end of what Confirm() reads
  // comes only when the new program is let go, as the kernel defers closing to then.
  absl::Status Start();
  absl::Status Confirm();

  // Reaps it if it has ended.
  void Reap();

  // Its wait status; a caller's signal does not end the waiting.
  absl::StatusOr<int> Wait();

 private:
  HeldCommand(pid_t pid, std::string path, UniqueFd gate, UniqueFd failure)
      : pid_(pid), path_(std::move(path)), gate_(std::move(gate)), failure_(std::move(failure)) {}

  pid_t pid_;
  std::optional<int> ended_as_;  // once it was reaped
  std::string path_;
  UniqueFd gate_;     // a byte lets it go, the end of the pipe ends it
  UniqueFd failure_;  // why exec failed; its end says that exec succeeded
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_HELD_COMMAND_H_
