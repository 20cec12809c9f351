// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/hold_text.h"
#include "userspace/utracectl/thread_target.h"

namespace utrace {
namespace {

struct ResumeOptions {
  std::string target;
  std::string engine;
  bool all = false;
};

absl::Status NothingHolds(const ThreadTarget& target, const std::string& engine) {
  std::string why = engine.empty() ? std::string("no engine holds it")
                                   : absl::StrCat("engine ", engine, " does not hold it");
  const ThreadInfo& leader = target.Leader();
  if (leader.state == 'T') why += "; it is stopped by job control: kill -CONT lets it go";
  if (leader.tracer != 0) {
    absl::StrAppend(&why, "; it has a ptracer, pid ", leader.tracer, ", which may hold it");
  }
  return ErrnoStatus(ESRCH, absl::StrCat("resume ", target.ProcessText()), why);
}

absl::Status SeveralHold(const std::map<uint64_t, std::string>& holders,
                         const ThreadTarget& target) {
  std::string text = absl::StrCat("resume ", target.ProcessText(), ": several engines hold it:");
  for (const auto& [id, owner] : holders) absl::StrAppend(&text, "\n  ", owner);
  absl::StrAppend(&text, "\nchoose one with --engine ID, or --all");
  return absl::FailedPreconditionError(text);
}

absl::Status ExplainResume(const absl::Status& status, const utrace_info& hold) {
  switch (ErrnoOf(status)) {
    case EPERM:
    case EACCES:
      return ErrnoStatus(EPERM, absl::StrCat("resume thread ", hold.tid),
                         absl::StrCat("it is held by ", OwnerText(hold),
                                      ", which is another user's: use sudo (its owner may let "
                                      "go, or who could attach and has CAP_SYS_PTRACE)"));
    case ERANGE:
      return ErrnoStatus(ERANGE, absl::StrCat("resume thread ", hold.tid),
                         "it was let go and held again meanwhile; run resume once more");
    default:
      return status;
  }
}

absl::Status ResumeOne(Session& session, const utrace_info& hold) {
  if (hold.flags & UTRACE_INFO_KERNEL) {
    return ErrnoStatus(EPERM, absl::StrCat("resume thread ", hold.tid),
                       absl::StrCat("it is held by ", OwnerText(hold),
                                    ", and only the module that made it can let go"));
  }
  // The list gives the number of one hold; for both at once, all that was told so far is meant.
  const uint32_t both = UTRACE_INFO_HELD_REPORT | UTRACE_INFO_HELD_ASYNC;
  const uint64_t seq = (hold.flags & both) == both ? UTRACE_SEQ_LATEST : hold.seq;
  Engine engine = session.Foreign(hold.engine);
  const absl::Status status = engine.Resume(hold.tid, seq).status();
  // It died, or was let go just now: it is not held by this engine, as was asked.
  return ErrnoOf(status) == ESRCH ? absl::OkStatus() : ExplainResume(status, hold);
}

absl::Status Resume(const ResumeOptions& options) {
  ASSIGN_OR_RETURN(const ThreadId id, ParseThreadId(options.target));
  ASSIGN_OR_RETURN(const ThreadTarget target, ThreadTarget::Open("resume", id));
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::OpenToLook());
  ASSIGN_OR_RETURN(const std::vector<utrace_info> infos, session->List(target.Pid()));
  std::vector<utrace_info> holds;
  std::map<uint64_t, std::string> holders;
  for (const utrace_info& info : infos) {
    if (!IsHeld(info) || (!target.WholeProcess() && info.tid != target.Tid())) continue;
    if (!options.engine.empty() && EngineText(info) != options.engine) continue;
    holds.push_back(info);
    holders.emplace(info.engine, OwnerText(info));
  }
  if (holds.empty()) return NothingHolds(target, options.engine);
  if (holders.size() > 1 && !options.all) return SeveralHold(holders, target);
  for (const utrace_info& hold : holds) RETURN_IF_ERROR(ResumeOne(*session, hold));

  ASSIGN_OR_RETURN(const std::vector<utrace_info> after, session->List(target.Pid()));
  std::set<pid_t> told;
  for (const utrace_info& hold : holds) {
    if (!told.insert(hold.tid).second) continue;
    const std::string others = HoldersOf(after, hold.tid);
    const std::string state =
        others.empty() ? std::string("goes on") : absl::StrCat("is still held by ", others);
    std::printf("resumed: tid %d %s\n", hold.tid, state.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

Run DefineResume(CLI::App& app) {
  auto options = std::make_shared<ResumeOptions>();
  app.add_option("target", options->target, "a process, or one thread of it")
      ->required()
      ->check(ThreadIdError)
      ->type_name("PID[/TID]");
  auto* engine = app.add_option("--engine", options->engine,
                                "let go what this engine holds (default: the only one that does)")
                     ->type_name("ENGINE");
  app.add_flag("--all", options->all, "let go what any engine holds")->excludes(engine);
  return [options](const ProgramArgs&) {
    const absl::Status status = Resume(*options);
    if (status.ok()) return kExitOk;
    PrintError(status);
    return kExitFailure;
  };
}

}  // namespace utrace
