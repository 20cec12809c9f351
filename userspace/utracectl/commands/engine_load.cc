// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/commands/engine_load.h"

#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_list.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/libutrace/bpf/engine_records.h"
#include "userspace/libutrace/bpf/engine_table.h"
#include "userspace/libutrace/bpf/engine_types.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/process_info.h"
#include "userspace/utracectl/output/output.h"
#include "userspace/utracectl/output/stack_text.h"
#include "userspace/utracectl/output/table.h"
#include "userspace/utracectl/program.h"
#include "userspace/utracectl/stacks.h"
#include "userspace/utracectl/target.h"

namespace utrace {
namespace {

struct LoadOptions {
  std::string file;
  std::string name;
  int pid = 0;
  bool every_exec = false;
  bool children = false;
  bool pin = false;
  std::string user;
  std::string output;
  std::string chosen;
  std::vector<std::string> settings;
  std::vector<std::string> paths;
};

// Attached to that process, or with every_exec to none yet.
absl::StatusOr<std::unique_ptr<EngineObject>> LoadOn(const LoadOptions& options, pid_t process) {
  RETURN_IF_ERROR(CheckTakesEngines());
  ASSIGN_OR_RETURN(std::unique_ptr<EngineObject> engine,
                   EngineObject::Open(options.file, options.chosen));
  if (!options.name.empty()) RETURN_IF_ERROR(engine->SetName(options.name));
  for (const std::string& setting : options.settings) {
    const size_t equals = setting.find('=');
    RETURN_IF_ERROR(engine->Set(setting.substr(0, equals), setting.substr(equals + 1)));
  }
  for (const std::string& path : options.paths) RETURN_IF_ERROR(engine->AddPath(path));
  RETURN_IF_ERROR(options.every_exec ? engine->SetEveryExec(options.children)
                                     : engine->SetTarget(process, options.children));
  RETURN_IF_ERROR(engine->Load());
  RETURN_IF_ERROR(engine->Attach());
  if (options.pin) RETURN_IF_ERROR(engine->Pin());
  return engine;
}

std::string Described(const EngineObject& engine) {
  const std::vector<std::string> options = engine.Options();
  return options.empty() ? engine.Name()
                         : absl::StrCat(engine.Name(), " (", absl::StrJoin(options, ", "), ")");
}

// It stays where it is while this looks, unless somebody lets it go.
std::string StackOfHeld(pid_t tid) {
  // Its number is the kernel's own.
  if (!InInitialPidNamespace()) return "    no stack: utracectl is in a pid namespace of its own\n";
  const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
  if (!info.ok()) return {};
  const absl::StatusOr<std::vector<StackView>> stacks =
      StacksOf(info->tgid, {tid}, std::nullopt, StackOptions());
  if (!stacks.ok()) return absl::StrCat("    no stack: ", stacks.status().message(), "\n");
  return stacks->empty() ? std::string() : StackText(stacks->front(), false);
}

// What the engine tells, until the process, if it is one, ends, or we are interrupted.
absl::Status ShowUntilEnd(const UniqueFd& pidfd, const EngineObject& engine, Output* output) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EngineRecords> records,
                   EngineRecords::Open(engine.Object()));
  pollfd wait[] = {{pidfd.Get(), POLLIN, 0}, {records ? records->PollFd() : -1, POLLIN, 0}};
  bool ended = false;
  while (!ended && !Interrupted()) {
    const int ready = ::poll(wait, std::size(wait), -1);
    if (ready < 0 && errno != EINTR) return LastErrno("wait for the process");
    ended = ready > 0 && wait[0].revents != 0;
    if (!records) continue;
    ASSIGN_OR_RETURN(const std::vector<EngineRecord> taken, records->Take());
    for (const EngineRecord& record : taken) {
      output->Append(absl::StrCat(engine.Name(), ": ", record.text, "\n"));
      if (record.held != 0) output->Append(StackOfHeld(record.held));
    }
    RETURN_IF_ERROR(output->Flush());
  }
  ASSIGN_OR_RETURN(const std::vector<std::vector<std::string>> rows,
                   ReadEngineTable(engine.Object()));
  if (!rows.empty()) output->Append(FormatTable(rows));
  return output->Flush();
}

absl::StatusOr<std::unique_ptr<Output>> OpenOutput(const LoadOptions& options, int standard) {
  if (options.output.empty()) return Output::Standard(standard);
  return Output::Create(options.output);
}

std::string WhatItIsOn(const LoadOptions& options) {
  if (options.every_exec) return "every process that is run from now on";
  const absl::StatusOr<ThreadInfo> info = ReadThread(options.pid);
  return info.ok() ? ProcessName(options.pid, info->comm) : absl::StrCat(options.pid);
}

// On one that runs, or on every exec.
absl::Status LoadOnProcess(const LoadOptions& options) {
  UniqueFd pidfd;
  if (!options.every_exec) {
    ASSIGN_OR_RETURN(pidfd, OpenPidfd(options.pid));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Output> output, OpenOutput(options, STDOUT_FILENO));
  ASSIGN_OR_RETURN(const std::unique_ptr<EngineObject> engine, LoadOn(options, options.pid));
  const std::string on = absl::StrCat(Described(*engine), " is on ", WhatItIsOn(options));
  if (options.pin) {
    std::printf("%s, until utracectl engine unload %s\n", on.c_str(), engine->Name().c_str());
    return absl::OkStatus();
  }
  CatchInterrupts();
  PrintNote(
      absl::StrCat(on, options.every_exec ? ", until Ctrl-C" : ", until that ends or Ctrl-C"));
  return ShowUntilEnd(pidfd, *engine, output.get());
}

// The program's wait status.
absl::StatusOr<int> ShowUntilEnd(Program* program, const EngineObject& engine, Output* output) {
  ASSIGN_OR_RETURN(const UniqueFd pidfd, OpenPidfd(program->Pid()));
  RETURN_IF_ERROR(ShowUntilEnd(pidfd, engine, output));
  return program->Wait();
}

int LoadOnProgram(const LoadOptions& options, const ProgramArgs& args) {
  int exit_status = kExitOk;
  std::optional<Program> program = Program::Spawn(args, options.user, &exit_status);
  if (!program.has_value()) return exit_status;
  const absl::StatusOr<std::unique_ptr<Output>> output = OpenOutput(options, STDERR_FILENO);
  const absl::StatusOr<std::unique_ptr<EngineObject>> engine =
      output.ok() ? LoadOn(options, program->Pid()) : output.status();
  if (!engine.ok()) {
    PrintError(engine.status());
    return kExitOwnFailure;
  }
  if (const std::optional<int> failed = program->Start()) return *failed;
  if (const std::optional<int> failed = program->Confirm()) return *failed;
  const absl::StatusOr<int> status = ShowUntilEnd(&*program, **engine, output->get());
  if (!status.ok()) {
    PrintError(status.status());
    return kExitFailure;
  }
  return EndLike(*status);
}

int Finish(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  PrintError(status);
  return kExitFailure;
}

// Loads it, attaches it to nobody, and lets it go.
absl::Status Verify(const std::string& file, bool log) {
  RETURN_IF_ERROR(CheckTakesEngines());
  ASSIGN_OR_RETURN(const std::unique_ptr<EngineObject> engine, EngineObject::Open(file));
  const absl::Status status = engine->Load();
  if (log && !engine->Log().empty()) std::fprintf(stderr, "%s\n", engine->Log().c_str());
  RETURN_IF_ERROR(status);
  const std::vector<std::string> events = EventNames(engine->Events());
  std::printf("%s: this kernel takes engine %s, which hears of %s\n", file.c_str(),
              Described(*engine).c_str(),
              events.empty() ? "no event" : absl::StrJoin(events, ", ").c_str());
  return absl::OkStatus();
}

std::string SettingError(const std::string& text) {
  if (text.find('=') != std::string::npos && text[0] != '=') return {};
  return absl::StrCat("'", text, "' is not of the form NAME=VALUE");
}

}  // namespace

Run DefineEngineLoad(CLI::App& app) {
  auto options = std::make_shared<LoadOptions>();
  app.add_option("file", options->file, "the BPF object")->required()->type_name("FILE");
  auto* pid = app.add_option("-p,--pid", options->pid, "on this process, all its threads")
                  ->check(AboveZeroError)
                  ->type_name("PID");
  app.add_flag("-f,--follow", options->children, "on the processes it creates, too");
  auto* every = app.add_flag("--every-exec", options->every_exec,
                             "on every process of this machine, from its next exec on")
                    ->excludes(pid);
  app.add_option("--name", options->name, "what it is called (default: the object's name)")
      ->type_name("NAME");
  app.add_option("--if", options->chosen,
                 "only about calls of which this is true (docs/expressions.md)")
      ->type_name("EXPR");
  app.add_option("--path", options->paths,
                 "a file or directory that it is about, whatever its name (repeatable)")
      ->type_name("PATH")
      ->take_last()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--set", options->settings, "one of its options (repeatable)")
      ->check(SettingError)
      ->type_name("NAME=VALUE")
      ->take_last()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  auto* user =
      app.add_option("-u,--user", options->user, "run the program as this user")->type_name("USER");
  auto* output =
      app.add_option("-o,--output", options->output, "write what the engine tells to this file")
          ->type_name("FILE");
  app.add_flag("--pin", options->pin, "it stays until engine unload, and this returns at once")
      ->excludes(output);
  return [options, pid, every, user](const ProgramArgs& program) {
    const bool running = pid->count() > 0 || every->count() > 0;
    if (program.empty() != running) {
      return UsageError("engine load: give a process by -p, --every-exec, or a program after --");
    }
    if (options->pin && !running)
      return UsageError("engine load: --pin is for -p and --every-exec");
    if (!program.empty()) return LoadOnProgram(*options, program);
    if (user->count() > 0) return UsageError("engine load: -u is for a program, not for -p");
    return Finish(LoadOnProcess(*options));
  };
}

Run DefineEngineVerify(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  auto log = std::make_shared<bool>(false);
  app.add_option("file", *file, "the BPF object")->required()->type_name("FILE");
  app.add_flag("--log", *log, "the end of the verifier's own log, too");
  return [file, log](const ProgramArgs&) { return Finish(Verify(*file, *log)); };
}

Run DefineEngineUnload(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "its name, as engine list shows it")->required()->type_name("NAME");
  return [name](const ProgramArgs&) {
    const absl::Status status = UnloadEngine(*name);
    if (status.ok()) std::printf("unloaded: engine %s\n", name->c_str());
    return Finish(status);
  };
}

}  // namespace utrace
