// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/libutrace/session.h"
#include "userspace/symbols/stack_view.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/hold_text.h"
#include "userspace/utracectl/output/control_json.h"
#include "userspace/utracectl/output/stack_text.h"
#include "userspace/utracectl/stacks.h"
#include "userspace/utracectl/thread_target.h"

namespace utrace {
namespace {

struct Options {
  std::vector<std::string> targets;
  bool json = false;
  bool verbose = false;
  size_t limit = StackOptions().limit;
};

std::string Text(const ThreadView& thread, const StackView& stack, bool with_module, bool verbose) {
  std::string text =
      absl::StrCat("  tid ", thread.info.tid, " ", thread.info.comm, ", ", StateText(thread), "\n");
  if (stack.frames.empty()) {
    absl::StrAppend(&text, "    no stack: it did not leave its CPU",
                    with_module ? "" : "; to stop it for a moment takes the utrace module", "\n");
  }
  return text + StackText(stack, verbose);
}

// Not there without the module, which only stops threads that run.
absl::StatusOr<std::unique_ptr<Session>> OpenIfThere() {
  absl::StatusOr<std::unique_ptr<Session>> session = Session::Open();
  if (!session.ok() && ErrnoOf(session.status()) == ENOENT) return nullptr;
  return session;
}

absl::Status Show(const std::string& which, const Options& options) {
  ASSIGN_OR_RETURN(const ThreadId id, ParseThreadId(which));
  ASSIGN_OR_RETURN(const ThreadTarget target, ThreadTarget::Open("show the stack of", id));
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, OpenIfThere());
  // As they are before ours is among them.
  std::vector<utrace_info> infos;
  std::optional<Engine> engine;
  if (session != nullptr) {
    ASSIGN_OR_RETURN(infos, session->List(target.Pid()));
    ASSIGN_OR_RETURN(engine, target.Attach(*session, 0));
  }
  ASSIGN_OR_RETURN(const std::vector<pid_t> threads, target.Threads());
  std::map<pid_t, ThreadView> views;
  for (const pid_t tid : threads) {
    const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
    if (info.ok()) views[tid] = ViewThread(*info, infos);
  }
  const absl::StatusOr<std::vector<StackView>> stacks =
      StacksOf(target.Pid(), threads, engine, {.limit = options.limit, .sources = options.verbose});
  if (!stacks.ok()) return target.EndedOr(stacks.status());
  if (!options.json) std::printf("%s\n", target.ProcessText().c_str());
  for (const StackView& stack : *stacks) {
    const ThreadView& view = views[stack.info.tid];
    const std::string text = options.json ? StackJson(view, stack, MonotonicNow())
                                          : Text(view, stack, session != nullptr, options.verbose);
    std::fputs(text.c_str(), stdout);
  }
  return absl::OkStatus();
}

}  // namespace

Run DefineStack(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("target", options->targets, "processes, or threads of them")
      ->required()
      ->check(ThreadIdError)
      ->type_name("PID[/TID]");
  app.add_flag("-j,--json", options->json, "JSON Lines (docs/json-control.md) in place of text");
  app.add_flag("-v,--verbose", options->verbose,
               "whole paths, build ids, and lines of source where there is debugging information");
  app.add_option("-n,--limit", options->limit, "show so many frames of a thread at most (256)")
      ->check(AboveZeroError)
      ->type_name("N");
  return [options](const ProgramArgs&) {
    int status = kExitOk;
    for (const std::string& which : options->targets) {
      const absl::Status shown = Show(which, *options);
      if (shown.ok()) continue;
      PrintError(shown);
      status = kExitFailure;
    }
    return status;
  };
}

}  // namespace utrace
