// SPDX-License-Identifier: Apache-2.0
// Which threads to watch: running processes, or a program that is started for it.
#ifndef UTRACE_UTRACECTL_TARGET_H_
#define UTRACE_UTRACECTL_TARGET_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/utracectl/command.h"
#include "userspace/utracectl/program.h"

namespace utrace {

struct TargetOptions {
  bool follow = false;
  std::vector<int> pids;
  std::string user;
  std::string chosen;
  uint32_t string_limit = 32;
  bool no_module = false;
  bool verbose = false;
};

// -f, -p, -u, -s, --if, --no-module, -v.
void AddTargetOptions(CLI::App& app, TargetOptions* options);

// How long the program's end may go unseen while its trace is read.
inline constexpr absl::Duration kProgramLook = absl::Milliseconds(20);

// The observer with its targets, and the program if there is one: held until Release().
class Target {
 public:
  // Prints what went wrong, and gives the exit status instead.
  static std::optional<Target> Prepare(const TargetOptions& options, const ProgramArgs& program,
                                       int* exit_status);

  Observer& GetObserver() { return *observer_; }
  uint64_t Threads() const { return threads_; }
  bool HasProgram() const { return program_.has_value(); }

  // What failure of ours to return: 125 while the program has not run.
  int OwnFailure() const { return HasProgram() ? program_->OwnFailure() : kExitFailure; }

  // Lets the program run. The exit status if it could not, after saying so.
  std::optional<int> Release();

  // Reaps the program, if there is one and it has ended.
  void Reap() {
    if (program_.has_value()) program_->Reap();
  }

  // Waits for the program, if there is one, and gives our exit status: 1 after `failure`, or if one
  // of the processes could not be watched; 3 if too much was lost. Else how the program ended is
  // passed on: its exit status is returned, its signal kills this process too.
  int Finish(const absl::Status& failure, bool too_much_lost);

 private:
  Target() = default;

  void TellSource(const TargetOptions& options);

  std::unique_ptr<Observer> observer_;
  std::optional<Program> program_;
  uint64_t threads_ = 1;
  bool incomplete_ = false;
  bool from_module_ = false;  // at first
};

// The first SIGINT or SIGTERM asks for the end, the second ends this process at once.
void CatchInterrupts();
bool Interrupted();

// "12 events, 0 lost"
std::string TotalsText(uint64_t events, uint64_t lost);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_TARGET_H_
