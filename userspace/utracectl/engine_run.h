// SPDX-License-Identifier: Apache-2.0
// Runs engines in BPF on a process or a program, and shows what they tell.
#ifndef UTRACE_UTRACECTL_ENGINE_RUN_H_
#define UTRACE_UTRACECTL_ENGINE_RUN_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/utracectl/command.h"

namespace utrace {

struct RunningEngine {
  std::unique_ptr<EngineObject> engine;  // attached
  std::string label;                     // what each line that it tells begins with
  bool tells = false;                    // say so if it had nothing to tell
};

using RunningEngines = std::vector<RunningEngine>;
// Attaches them to that process.
using StartEngines = std::function<absl::StatusOr<RunningEngines>(pid_t process)>;

// A command's options about whom they are on.
struct EngineTarget {
  pid_t pid = 0;  // 0: on every exec, or a program
  bool every_exec = false;
  std::string user;
  std::string output;  // file for what they tell; empty: standard output, beside a program error
};

// On a process that runs, or on every exec, until that ends or we are interrupted. `on` is said
// once they are there.
absl::Status RunEngines(const EngineTarget& target, const StartEngines& start,
                        const std::function<std::string(const RunningEngines&)>& on);

// What one tells that is loaded already: what is there, and with `follow` what comes, until it goes
// or we are interrupted. Into the file, if there is a name of one. Each record is read once: by us,
// or by its loader if that reads, too.
absl::Status ReadLoadedEngine(const std::string& name, const std::string& file, bool follow);

// On a program from its exec on, until it ends. Returns the exit status.
int RunEnginesOnProgram(const EngineTarget& target, const ProgramArgs& args,
                        const StartEngines& start);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_ENGINE_RUN_H_
