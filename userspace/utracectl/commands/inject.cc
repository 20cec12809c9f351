// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/libutrace/bpf/engine_types.h"
#include "userspace/libutrace/process_info.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/engine_run.h"
#include "userspace/utracectl/injection.h"

namespace utrace {
namespace {

struct InjectOptions {
  EngineTarget target;
  bool children = false;
  std::vector<std::string> injections;
};

absl::StatusOr<std::unique_ptr<EngineObject>> Attach(const Injection& injection, size_t number,
                                                     pid_t process, bool children) {
  ASSIGN_OR_RETURN(std::unique_ptr<EngineObject> engine,
                   EngineObject::OpenBuiltIn(BuiltInEngine::kFaultInject, injection.expression));
  // One of its own, among those of others.
  RETURN_IF_ERROR(engine->SetName(absl::StrCat("inj", ::getpid(), "-", number)));
  for (const auto& [name, value] : injection.settings) RETURN_IF_ERROR(engine->Set(name, value));
  RETURN_IF_ERROR(engine->SetTarget(process, children));
  RETURN_IF_ERROR(engine->Load());
  RETURN_IF_ERROR(engine->Attach());
  return engine;
}

// The kernel asks them from the last to the first, so the first is attached last.
absl::StatusOr<RunningEngines> AttachAll(const std::vector<Injection>& injections, bool children,
                                         pid_t process) {
  RETURN_IF_ERROR(CheckTakesEngines());
  RunningEngines engines(injections.size());
  for (size_t i = injections.size(); i-- > 0;) {
    ASSIGN_OR_RETURN(engines[i].engine, Attach(injections[i], i + 1, process, children));
    engines[i].label = absl::StrCat("inject ", injections[i].text);
    engines[i].tells = true;
  }
  return engines;
}

int Inject(const InjectOptions& options, const ProgramArgs& program) {
  std::vector<Injection> injections;
  for (const std::string& text : options.injections) {
    absl::StatusOr<Injection> injection = ParseInjection(text);
    if (!injection.ok()) return UsageError(injection.status().message());
    injections.push_back(*std::move(injection));
  }
  const StartEngines start = [&](pid_t process) {
    return AttachAll(injections, options.children, process);
  };
  if (!program.empty()) return RunEnginesOnProgram(options.target, program, start);
  const pid_t pid = options.target.pid;
  return Finish(RunEngines(options.target, start, [&](const RunningEngines&) {
    const absl::StatusOr<ThreadInfo> info = ReadThread(pid);
    return absl::StrCat("into ", info.ok() ? ProcessName(pid, info->comm) : absl::StrCat(pid), ": ",
                        absl::StrJoin(options.injections, ", "));
  }));
}

}  // namespace

Run DefineInject(CLI::App& app) {
  auto options = std::make_shared<InjectOptions>();
  app.add_option("injection", options->injections,
                 "CALLS:ACTION...: names of calls with commas between, or all; then error=ERRNO, "
                 "retval=N, signal=SIGNAL, delay=TIME, argN=VALUE; when=FIRST[..LAST][+[STEP]] of "
                 "each thread's; last, if=EXPR (docs/expressions.md)")
      ->required()
      ->type_name("CALLS:ACTION[:...]");
  app.add_option("-p,--pid", options->target.pid, "into this process, all its threads")
      ->check(AboveZeroError)
      ->type_name("PID");
  app.add_flag("-f,--follow", options->children, "and the processes it creates");
  auto* user = app.add_option("-u,--user", options->target.user, "run the program as this user")
                   ->type_name("USER");
  app.add_option("-o,--output", options->target.output, "write what was done to this file")
      ->type_name("FILE");
  return [options, user](const ProgramArgs& program) {
    if (program.empty() != (options->target.pid != 0)) {
      return UsageError("inject: give a process by -p, or a program after --");
    }
    if (program.empty() && user->count() > 0) {
      return UsageError("inject: -u is for a program, not for -p");
    }
    return Inject(*options, program);
  };
}

}  // namespace utrace
