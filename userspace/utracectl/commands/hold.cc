// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/hold_text.h"
#include "userspace/utracectl/holder.h"
#include "userspace/utracectl/holding.h"
#include "userspace/utracectl/job.h"
#include "userspace/utracectl/program.h"
#include "userspace/utracectl/thread_target.h"

namespace utrace {
namespace {

struct HoldOptions {
  pid_t tree = 0;
  std::string user;
  bool background = false;
  bool handover = false;
  bool nested = false;
};

void SetUp(const HoldOptions& options, Session& session) {
  if (options.handover) session.HandOver();
  if (options.nested) session.Nest();
}

std::string HowToLetGo(bool background, pid_t pid, const Holding& holding) {
  return absl::StrCat(
      "to let go: ", background ? absl::StrCat("kill ", ::getpid()) : std::string("Ctrl-C"),
      ", or utracectl resume ", pid, " --engine ", holding.EngineNumbers());
}

// Holds our own child at its exec. What it prints goes to standard error, as the rest is the
// program's own.
class HeldProgram {
 public:
  HeldProgram(const HoldOptions& options, const Ready& ready) : options_(options), ready_(ready) {}

  int Run(const ProgramArgs& args) {
    int exit_status = kExitOk;
    std::optional<Program> program = Program::Spawn(args, options_.user, &exit_status);
    if (!program.has_value()) return exit_status;
    Job job(program->Pid());
    absl::StatusOr<std::unique_ptr<Holding>> holding = Attach(*program);
    if (!holding.ok()) {
      PrintError(holding.status());
      return program->OwnFailure();
    }
    if (const std::optional<int> failed = program->Start()) return *failed;
    const absl::StatusOr<bool> held = Hold(**holding, job, program->Pid());
    if (!held.ok()) PrintError(held.status());
    // A program that runs unheld on an error of ours is still the user's: we stay with it.
    job.GiveTerminal();
    holding->reset();
    if (const std::optional<int> failed = program->Confirm()) return *failed;
    ready_(held.value_or(false) ? kExitOk : kExitFailure);
    const absl::StatusOr<int> end = job.Wait();
    if (!end.ok()) PrintError(end.status());
    return end.ok() && held.ok() ? EndLike(*end) : kExitFailure;
  }

 private:
  absl::StatusOr<std::unique_ptr<Holding>> Attach(const Program& program) const {
    ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
    SetUp(options_, *session);
    const pid_t pid = program.Pid();
    const absl::StatusOr<Engine> engine =
        session->Attach(AttachTarget::Thread(pid), UTRACE_EVENT(EXEC));
    if (!engine.ok()) {
      const std::string process = absl::StrCat(program.Name(), " (", pid, ")");
      const absl::StatusOr<ThreadInfo> info = ReadThread(pid);
      return ExplainRefusal(engine.status(), absl::StrCat("hold ", process), process,
                            info.ok() ? info->uid : ::geteuid());
    }
    HoldRules rules;
    rules.once = true;
    ASSIGN_OR_RETURN(std::unique_ptr<Holding> holding,
                     Holding::Create(std::move(session), std::move(rules), PrintNote));
    RETURN_IF_ERROR(holding->Add(*engine));
    return holding;
  }

  // Whether it was held: not if it ended before, nor if its exec took it out of our reach.
  absl::StatusOr<bool> Hold(Holding& holding, const Job& job, pid_t pid) {
    const auto held_or_ended = [&] { return holding.AnyHeld() || job.Ended(); };
    ASSIGN_OR_RETURN(Holding::End end, holding.Run(held_or_ended, absl::InfiniteFuture()));
    const bool held = end == Holding::End::kDone && !job.Ended();
    if (held) {
      PrintNote(HowToLetGo(options_.background, pid, holding));
      ready_(kExitOk);
      ASSIGN_OR_RETURN(end, holding.Run([&] { return job.Ended(); }, absl::InfiniteFuture()));
    }
    if (end == Holding::End::kAskedToEnd) holding.LetGo();
    return held;
  }

  const HoldOptions& options_;
  const Ready& ready_;
};

// Holds what a process and all below it execute.
class HeldTree {
 public:
  HeldTree(const HoldOptions& options, std::string glob, const Ready& ready)
      : options_(options), glob_(std::move(glob)), ready_(ready) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(ThreadTarget root,
                     ThreadTarget::Open("hold the tree of", ThreadId{options_.tree, 0}));
    ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
    SetUp(options_, *session);
    HoldRules rules;
    rules.keep = [this](const utrace_notice& notice) { return Matches(notice.tid); };
    ASSIGN_OR_RETURN(holding_, Holding::Create(std::move(session), std::move(rules), Print));
    ASSIGN_OR_RETURN(const Engine engine, root.Attach(holding_->GetSession(), UTRACE_EVENT(EXEC),
                                                      /*children=*/true));
    RETURN_IF_ERROR(holding_->Add(engine));
    ASSIGN_OR_RETURN(const size_t below, AttachBelow());
    Print(absl::StrCat("armed: ", below == 0 ? "engine " : "engines ", holding_->EngineNumbers(),
                       " on ", root.ProcessText(), " and ", below,
                       below == 1 ? " process" : " processes", " below it: what they execute",
                       glob_.empty() ? "" : absl::StrCat(" as ", glob_), " is held"));
    Print(absl::StrCat(
        "to let go: ", options_.background ? absl::StrCat("kill ", ::getpid()) : "Ctrl-C",
        ", or utracectl resume PID for one process"));
    ready_(kExitOk);
    ASSIGN_OR_RETURN(const Holding::End end,
                     holding_->Run([] { return false; }, absl::InfiniteFuture()));
    if (end == Holding::End::kNothingLeft) {
      Print(absl::StrCat("done: nothing of ", root.ProcessText(),
                         " or below it is watched any more"));
    }
    holding_->LetGo();
    return absl::OkStatus();
  }

 private:
  // Children forked from here on join by themselves; those that were there before are looked for
  // until none is new.
  absl::StatusOr<size_t> AttachBelow() {
    std::set<pid_t> tried{::getpid()};
    size_t attached = 0;
    for (bool found_new = true; found_new;) {
      found_new = false;
      const std::vector<pid_t> below = DescendantsOf(options_.tree);
      ASSIGN_OR_RETURN(const std::vector<utrace_info> infos, holding_->GetSession().List());
      for (const utrace_info& info : infos) {
        if (info.owner == ::getpid()) tried.insert(info.tgid);
      }
      for (const pid_t pid : below) {
        if (!tried.insert(pid).second) continue;
        found_new = true;
        const absl::Status status = AttachOne(pid);
        if (status.ok()) {
          ++attached;
        } else if (ErrnoOf(status) != ESRCH) {
          PrintNote(absl::StrCat("note: left out: ", status.message()));
        }
      }
    }
    return attached;
  }

  absl::Status AttachOne(pid_t pid) {
    ASSIGN_OR_RETURN(const ThreadTarget target,
                     ThreadTarget::Open("hold the tree of", ThreadId{pid, 0}));
    ASSIGN_OR_RETURN(const Engine engine, target.Attach(holding_->GetSession(), UTRACE_EVENT(EXEC),
                                                        /*children=*/true));
    return holding_->Add(engine);
  }

  // By the whole path, or its last part; a script by its own name too, which its comm has.
  bool Matches(pid_t tid) const {
    if (glob_.empty()) return true;
    const std::string path = ExecutableOf(tid);
    const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
    const std::string base = path.substr(path.rfind('/') + 1);
    return ::fnmatch(glob_.c_str(), path.c_str(), 0) == 0 ||
           ::fnmatch(glob_.c_str(), base.c_str(), 0) == 0 ||
           (info.ok() && ::fnmatch(glob_.c_str(), info->comm.c_str(), 0) == 0);
  }

  const HoldOptions& options_;
  const std::string glob_;
  const Ready& ready_;
  std::unique_ptr<Holding> holding_;
};

int RunTree(const HoldOptions& options, const std::string& glob, const Ready& ready) {
  const absl::Status status = HeldTree(options, glob, ready).Run();
  if (status.ok()) return kExitOk;
  PrintError(status);
  return kExitFailure;
}

int Hold(const HoldOptions& options, const ProgramArgs& args) {
  if (options.tree == 0 && args.empty()) {
    return UsageError("hold: give a program to run, as in: hold -- ./server; or --tree PID");
  }
  if (options.tree != 0 && args.size() > 1) {
    return UsageError("hold: --tree PID takes one GLOB; quote it, lest the shell expands it");
  }
  if (options.tree != 0 && !options.user.empty()) {
    return UsageError("hold: -u says as whom a program is run; with --tree there is none");
  }
  const auto work = [&](const Ready& ready) {
    if (options.tree != 0) return RunTree(options, args.empty() ? "" : args[0], ready);
    return HeldProgram(options, ready).Run(args);
  };
  if (!options.background) return work(StayInForeground);
  const std::string words = absl::StrJoin(args, " ");
  return RunAsHolder(options.tree != 0 ? absl::StrCat("hold --tree ", options.tree, " ", words)
                                       : absl::StrCat("hold -- ", words),
                     work);
}

}  // namespace

Run DefineHold(CLI::App& app) {
  auto options = std::make_shared<HoldOptions>();
  app.add_option("--tree", options->tree,
                 "hold what this process and all below it execute; GLOB chooses by path or name")
      ->check(AboveZeroError)
      ->type_name("PID");
  app.add_option("-u,--user", options->user, "run PROGRAM as this user")->type_name("USER");
  app.add_flag("--handover", options->handover, kHandoverHelp);
  app.add_flag("--nested", options->nested,
               "take turns with other engines: each is told only when the hold before it is over");
  app.add_flag("--background", options->background,
               "leave a process named utracectl-holder that holds on");
  return [options](const ProgramArgs& args) { return Hold(*options, args); };
}

}  // namespace utrace
