// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/commands/engine_load.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_list.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/libutrace/bpf/engine_types.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/process_info.h"
#include "userspace/utracectl/engine_run.h"

namespace utrace {
namespace {

struct LoadOptions {
  std::string file;
  std::string name;
  EngineTarget target;
  std::string cgroup;
  bool children = false;
  bool pin = false;
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
  if (!options.cgroup.empty()) {
    RETURN_IF_ERROR(engine->SetCgroup(options.cgroup, options.children));
  } else if (options.target.every_exec) {
    RETURN_IF_ERROR(engine->SetEveryExec(options.children));
  } else {
    RETURN_IF_ERROR(engine->SetTarget(process, options.children));
  }
  RETURN_IF_ERROR(engine->Load());
  RETURN_IF_ERROR(engine->Attach());
  if (options.pin) RETURN_IF_ERROR(engine->Pin());
  return engine;
}

std::string Described(const std::string& name, const std::vector<std::string>& options) {
  return options.empty() ? name : absl::StrCat(name, " (", absl::StrJoin(options, ", "), ")");
}

std::string WhatItIsOn(const LoadOptions& options) {
  const pid_t pid = options.target.pid;
  if (!options.cgroup.empty()) return absl::StrCat("the processes of the cgroup ", options.cgroup);
  if (options.target.every_exec) return "every process that is run from now on";
  const absl::StatusOr<ThreadInfo> info = ReadThread(pid);
  return info.ok() ? ProcessName(pid, info->comm) : absl::StrCat(pid);
}

StartEngines Starter(const LoadOptions& options) {
  return [&options](pid_t process) -> absl::StatusOr<RunningEngines> {
    ASSIGN_OR_RETURN(std::unique_ptr<EngineObject> engine, LoadOn(options, process));
    RunningEngines engines;
    const std::string label = engine->Name();
    engines.push_back({std::move(engine), label, false});
    return engines;
  };
}

std::string OnText(const LoadOptions& options, const EngineObject& engine) {
  return absl::StrCat(Described(engine.Name(), engine.Settings()), " is on ", WhatItIsOn(options));
}

// On one that runs, or on every exec.
absl::Status LoadOnProcess(const LoadOptions& options) {
  if (options.pin) {
    ASSIGN_OR_RETURN(const std::unique_ptr<EngineObject> engine,
                     LoadOn(options, options.target.pid));
    std::printf("%s, until utracectl engine unload %s\n", OnText(options, *engine).c_str(),
                engine->Name().c_str());
    return absl::OkStatus();
  }
  return RunEngines(options.target, Starter(options), [&](const RunningEngines& engines) {
    return OnText(options, *engines.front().engine);
  });
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
              Described(engine->Name(), engine->Options()).c_str(),
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
  auto* pid = app.add_option("-p,--pid", options->target.pid, "on this process, all its threads")
                  ->check(AboveZeroError)
                  ->type_name("PID");
  app.add_flag("-f,--follow", options->children, "on the processes it creates, too");
  auto* cgroup =
      app.add_option("--cgroup", options->cgroup,
                     "on the processes of this control group (v2) and those below it, and "
                     "on what comes there, from its next exec on")
          ->excludes(pid)
          ->type_name("PATH");
  auto* every = app.add_flag("--every-exec", options->target.every_exec,
                             "on every process of this machine, from its next exec on")
                    ->excludes(pid)
                    ->excludes(cgroup);
  app.add_option("--name", options->name, "what it is called (default: the object's name)")
      ->type_name("NAME");
  app.add_option("--if,--when", options->chosen,
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
  auto* user = app.add_option("-u,--user", options->target.user, "run the program as this user")
                   ->type_name("USER");
  auto* output = app.add_option("-o,--output", options->target.output,
                                "write what the engine tells to this file")
                     ->type_name("FILE");
  app.add_flag("--pin", options->pin, "it stays until engine unload, and this returns at once")
      ->excludes(output);
  return [options, pid, every, cgroup, user](const ProgramArgs& program) {
    const bool running = pid->count() > 0 || every->count() > 0 || cgroup->count() > 0;
    if (program.empty() != running) {
      return UsageError(
          "engine load: give a process by -p, --cgroup, --every-exec, or a program after --");
    }
    if (options->pin && !running) {
      return UsageError("engine load: --pin is for -p, --cgroup and --every-exec");
    }
    // As one that is on every exec, it is on no process whose end would be its own.
    options->target.every_exec = options->target.every_exec || cgroup->count() > 0;
    if (!program.empty()) {
      return RunEnginesOnProgram(options->target, program, Starter(*options));
    }
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

Run DefineEngineRead(CLI::App& app) {
  struct ReadOptions {
    std::string name;
    std::string output;
    bool follow = false;
  };
  auto options = std::make_shared<ReadOptions>();
  app.add_option("name", options->name, "its name, as engine list shows it")
      ->required()
      ->type_name("NAME");
  app.add_flag("-f,--follow", options->follow, "go on until it is unloaded, or Ctrl-C");
  app.add_option("-o,--output", options->output, "write it to this file")->type_name("FILE");
  return [options](const ProgramArgs&) {
    return Finish(ReadLoadedEngine(options->name, options->output, options->follow));
  };
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
