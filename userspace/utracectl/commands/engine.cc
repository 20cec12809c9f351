// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_list.h"
#include "userspace/libutrace/bpf/observer_list.h"
#include "userspace/libutrace/brake.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/libutrace/session.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/commands/engine_load.h"
#include "userspace/utracectl/commands/engine_new.h"
#include "userspace/utracectl/hold_text.h"
#include "userspace/utracectl/output/control_json.h"
#include "userspace/utracectl/output/place_text.h"
#include "userspace/utracectl/output/table.h"

namespace utrace {
namespace {

constexpr char kBpfPrefix[] = "bpf:";

struct EngineOptions {
  std::string id;
  bool all = false;
  bool json = false;
};

struct Engines {
  std::vector<EngineView> control;
  std::vector<RunningObserver> observers;
  std::vector<LoadedEngine> loaded;
};

// Of both planes. What cannot be seen is said, and the rest is shown.
absl::StatusOr<Engines> FindEngines() {
  Engines engines;
  absl::StatusOr<std::unique_ptr<Session>> session = Session::OpenToLook();
  if (session.ok()) {
    ASSIGN_OR_RETURN(const std::vector<utrace_info> infos, (*session)->List());
    engines.control = ViewEngines(infos);
  } else if (ErrnoOf(session.status()) == ENOENT) {
    PrintNote("note: the utrace module is not loaded: only observers are listed");
  } else {
    return session.status();
  }
  absl::StatusOr<std::vector<RunningObserver>> observers = ListObservers();
  if (observers.ok()) {
    engines.observers = *std::move(observers);
  } else {
    PrintNote(absl::StrCat("note: what is in BPF is not listed, as root sees it only: ",
                           observers.status().message()));
    MoveThreadsToLoaded(&engines.control, &engines.loaded);
    return engines;
  }
  ASSIGN_OR_RETURN(engines.loaded, ListLoadedEngines());
  MoveThreadsToLoaded(&engines.control, &engines.loaded);
  return engines;
}

std::string TargetText(absl::Span<const utrace_info> threads) {
  if (threads.empty()) return "no thread";
  std::set<pid_t> processes;
  for (const utrace_info& info : threads) processes.insert(info.tgid);
  const std::string count =
      absl::StrCat(threads.size(), threads.size() == 1 ? " thread" : " threads");
  if (processes.size() != 1) return absl::StrCat(count, " of ", processes.size(), " processes");
  const pid_t pid = *processes.begin();
  const absl::StatusOr<ThreadInfo> info = ReadThread(pid);
  return absl::StrCat(count, " of ",
                      info.ok() ? ProcessName(pid, info->comm) : absl::StrCat("process ", pid));
}

std::string StateText(const LoadedEngine& engine) {
  std::string text = absl::StrCat(CountHeld(engine.threads), " held");
  if (engine.every_exec) text += ", on every exec";
  if (engine.cgroup) text += ", on a cgroup";
  if (engine.pinned == true) text += ", pinned";
  return text;
}

std::string EventsText(uint32_t events) {
  const std::vector<std::string> names = EventNames(events);
  return names.empty() ? "-" : absl::StrJoin(names, ",");
}

std::string EngineOwner(const EngineView& engine) {
  if (engine.of_kernel) return "kernel";
  return engine.owner == 0 ? "another pid namespace" : ProcessName(engine.owner, engine.owner_comm);
}

absl::Status List(const EngineOptions& options) {
  ASSIGN_OR_RETURN(const Engines engines, FindEngines());
  std::vector<std::vector<std::string>> rows{{"ID", "OWNER", "TARGET", "EVENTS", "MODE", "STATE"}};
  std::string lines;
  const uint64_t now_ns = MonotonicNow();
  for (const EngineView& engine : engines.control) {
    lines += EngineJson(engine, now_ns);
    rows.push_back({absl::StrCat(engine.id), EngineOwner(engine), TargetText(engine.threads),
                    EventsText(engine.events), engine.trace_only ? "trace" : "control",
                    absl::StrCat(CountHeld(engine.threads), " held")});
  }
  for (const RunningObserver& observer : engines.observers) {
    lines += ObserverJson(observer, now_ns);
    rows.push_back({absl::StrCat(kBpfPrefix, observer.owner),
                    ProcessName(observer.owner, observer.owner_comm),
                    observer.threads < 0 ? "?" : absl::StrCat(observer.threads, " threads"), "-",
                    "observe", "running"});
  }
  for (const LoadedEngine& engine : engines.loaded) {
    lines += LoadedEngineJson(engine, now_ns);
    rows.push_back({engine.name, "-", TargetText(engine.threads), EventsText(engine.events), "bpf",
                    StateText(engine)});
  }
  std::fputs(options.json ? lines.c_str() : FormatTable(rows).c_str(), stdout);
  return absl::OkStatus();
}

// 0 for an observer, which has no number but its owner's.
absl::StatusOr<uint64_t> ParseId(const std::string& text) {
  absl::string_view rest = text;
  uint64_t id = 0;
  if (absl::ConsumePrefix(&rest, kBpfPrefix)) {
    pid_t pid = 0;
    if (absl::SimpleAtoi(rest, &pid) && pid > 0) return 0;
  } else if (absl::SimpleAtoi(rest, &id) && id > 0) {
    return id;
  }
  return ErrnoStatus(EINVAL, absl::StrCat("read '", text, "' as an engine's id"),
                     "it takes a number as engine list shows it, 7 or bpf:5120; one in BPF, which "
                     "has a name, is taken off by engine unload");
}

std::string IdError(const std::string& text) {
  return std::string(ParseId(text).status().message());
}

absl::Status NoSuchEngine(const std::string& id) {
  return ErrnoStatus(ESRCH, absl::StrCat("find engine ", id),
                     "there is no such engine (any more); see utracectl engine list");
}

void PrintEngine(const std::string& who, absl::Span<const utrace_info> threads, uint32_t events) {
  std::printf("%s, on %s, events %s\n", who.c_str(), TargetText(threads).c_str(),
              EventsText(events).c_str());
  std::vector<std::vector<std::string>> rows{{"  PID", "TID", "STATE"}};
  for (const utrace_info& info : threads) {
    const bool at_event = info.flags & UTRACE_INFO_HELD_REPORT;
    std::string state = DoingText(info.tid);
    if (IsAsleep(info)) {
      state = absl::StrCat("held ", PlaceText(at_event ? info.event : 0, info.nr, Abi::kX8664,
                                              static_cast<int>(info.signo)));
    } else if (IsHeld(info)) {
      state += ", to be held";
    }
    rows.push_back({absl::StrCat("  ", info.tgid), absl::StrCat(info.tid), state});
  }
  std::fputs(FormatTable(rows).c_str(), stdout);
}

absl::Status Show(const EngineOptions& options) {
  ASSIGN_OR_RETURN(const Engines engines, FindEngines());
  for (const EngineView& engine : engines.control) {
    if (options.id != absl::StrCat(engine.id)) continue;
    if (options.json) {
      std::fputs(EngineJson(engine, MonotonicNow()).c_str(), stdout);
    } else {
      PrintEngine(absl::StrCat("engine ", engine.id, " of ", EngineOwner(engine)), engine.threads,
                  engine.events);
    }
    return absl::OkStatus();
  }
  for (const LoadedEngine& engine : engines.loaded) {
    if (options.id != engine.name) continue;
    if (options.json) {
      std::fputs(LoadedEngineJson(engine, MonotonicNow()).c_str(), stdout);
    } else {
      PrintEngine(absl::StrCat("BPF engine ", engine.name, engine.pinned == true ? ", pinned" : ""),
                  engine.threads, engine.events);
    }
    return absl::OkStatus();
  }
  for (const RunningObserver& observer : engines.observers) {
    if (options.id != absl::StrCat(kBpfPrefix, observer.owner)) continue;
    if (options.json) {
      std::fputs(ObserverJson(observer, MonotonicNow()).c_str(), stdout);
    } else {
      std::printf("observer of %s: it holds nothing; it ends with its owner (kill -INT %d)\n",
                  ProcessName(observer.owner, observer.owner_comm).c_str(), observer.owner);
    }
    return absl::OkStatus();
  }
  return NoSuchEngine(options.id);
}

absl::Status Detach(const EngineOptions& options) {
  if (options.all) {
    RETURN_IF_ERROR(DetachEverything());
    std::puts("detached: all engines of the utrace module");
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const uint64_t id, ParseId(options.id));
  if (id == 0) {
    return ErrnoStatus(EOPNOTSUPP, absl::StrCat("detach ", options.id),
                       absl::StrCat("it only observes, and ends with its owner: kill -INT ",
                                    absl::StripPrefix(options.id, kBpfPrefix)));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::OpenToLook());
  const absl::StatusOr<Released> released = session->Foreign(id).Detach();
  if (released.ok()) {
    std::printf("detached: engine %s from %u threads", options.id.c_str(), released->affected);
    if (released->held_by_others > 0) {
      std::printf(", %u of them still held by others (see utracectl ps)", released->held_by_others);
    }
    std::puts("");
    return absl::OkStatus();
  }
  switch (ErrnoOf(released.status())) {
    case ESRCH:
      return NoSuchEngine(options.id);
    case EPERM:
    case EACCES:
      return ErrnoStatus(EPERM, absl::StrCat("detach engine ", options.id),
                         "it is another user's: use sudo (its owner may, or who could attach and "
                         "has CAP_SYS_PTRACE)");
    default:
      return released.status();
  }
}

}  // namespace

Run DefineEngine(CLI::App& app) {
  auto options = std::make_shared<EngineOptions>();
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "all engines, those in BPF and observers too");
  CLI::App* show = app.add_subcommand("show", "one engine and its threads");
  CLI::App* detach = app.add_subcommand("detach", "take an engine off, which ends its holds");
  CLI::App* load = app.add_subcommand("load", "an engine in BPF, on a process or a program");
  CLI::App* read = app.add_subcommand("read", "what an engine in BPF tells, also a pinned one");
  CLI::App* unload =
      app.add_subcommand("unload", "take an engine in BPF off, which ends its holds");
  CLI::App* verify = app.add_subcommand("verify", "whether this kernel takes an engine in BPF");
  CLI::App* make = app.add_subcommand("new", "the beginning of an engine in BPF, in a folder");
  const Run run_verify = DefineEngineVerify(*verify);
  const Run run_new = DefineEngineNew(*make);
  const Run run_load = DefineEngineLoad(*load);
  const Run run_read = DefineEngineRead(*read);
  const Run run_unload = DefineEngineUnload(*unload);
  for (CLI::App* command : {list, show}) {
    command->add_flag("-j,--json", options->json,
                      "JSON Lines (docs/json-control.md) in place of text");
  }
  show->add_option("id", options->id, "its id, or its name in BPF, or bpf:PID")
      ->required()
      ->type_name("ID");
  auto* id = detach->add_option("id", options->id, "its id")->check(IdError)->type_name("ID");
  detach
      ->add_flag("--all", options->all,
                 "take all engines of all users off at once (root; the emergency brake)")
      ->excludes(id);
  return [options, list, show, load, read, unload, verify, make, run_load, run_read, run_unload,
          run_verify, run_new](const ProgramArgs& program) {
    if (*load) return run_load(program);
    if (!program.empty()) return UsageError("engine: a program goes with engine load");
    if (*read) return run_read(program);
    if (*unload) return run_unload(program);
    if (*verify) return run_verify(program);
    if (*make) return run_new(program);
    if (*list) return Finish(List(*options));
    if (*show) return Finish(Show(*options));
    if (options->id.empty() && !options->all) {
      return UsageError("engine detach: give an id (see utracectl engine list), or --all");
    }
    return Finish(Detach(*options));
  };
}

}  // namespace utrace
