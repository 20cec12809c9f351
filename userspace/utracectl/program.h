// SPDX-License-Identifier: Apache-2.0
// The program that a command starts: as whom, and what its end makes of ours.
#ifndef UTRACE_UTRACECTL_PROGRAM_H_
#define UTRACE_UTRACECTL_PROGRAM_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "userspace/libutrace/held_command.h"
#include "userspace/utracectl/command.h"

namespace utrace {

// Held before its exec until Release(). What fails is printed, and told as an exit status.
class Program {
 public:
  // As `user`, if not empty; else as ourselves, with a note if that is root under sudo.
  static std::optional<Program> Spawn(const ProgramArgs& args, const std::string& user,
                                      int* exit_status);

  pid_t Pid() const { return command_.Pid(); }
  const std::string& Name() const { return name_; }

  // What failure of ours to return: 125 while it has not run.
  int OwnFailure() const { return started_ ? kExitFailure : kExitOwnFailure; }

  // Lets it exec. Nothing if all is well, else the exit status.
  std::optional<int> Start();
  // What came of the exec, once the program is not held at it (any more).
  std::optional<int> Confirm();

  // So that its reaping shows while it is still looked for.
  void Reap() { command_.Reap(); }

  // Its wait status.
  absl::StatusOr<int> Wait() { return command_.Wait(); }

 private:
  Program(HeldCommand command, std::string name)
      : command_(std::move(command)), name_(std::move(name)) {}

  HeldCommand command_;
  std::string name_;
  bool started_ = false;
};

// The exit status for a wait status; for a program that a signal killed, we die of it too.
int EndLike(int wait_status);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_PROGRAM_H_
