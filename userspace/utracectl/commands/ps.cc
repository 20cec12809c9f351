// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/libutrace/session.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/hold_text.h"
#include "userspace/utracectl/output/control_json.h"
#include "userspace/utracectl/output/table.h"

namespace utrace {
namespace {

struct PsOptions {
  pid_t pid = 0;
  bool json = false;
};

// What the module says; none, with a note, if there is no module: the rest is still worth showing.
absl::StatusOr<std::vector<utrace_info>> Ask(pid_t pid) {
  absl::StatusOr<std::unique_ptr<Session>> session = Session::OpenToLook();
  if (session.ok()) return (*session)->List(pid);
  if (ErrnoOf(session.status()) != ENOENT) return session.status();
  PrintNote("note: the utrace module is not loaded, so no thread has engines of it");
  return std::vector<utrace_info>();
}

std::string HeldBy(const ThreadView& thread, uint64_t now_ns) {
  std::vector<std::string> holders;
  for (const utrace_info& info : thread.engines) {
    if (!IsHeld(info)) continue;
    std::string holder = OwnerText(info);
    if (info.since_ns != 0 && info.since_ns <= now_ns) {
      absl::StrAppendFormat(&holder, " for %.1fs",
                            static_cast<double>(now_ns - info.since_ns) / 1e9);
    }
    holders.push_back(std::move(holder));
  }
  return holders.empty() ? "-" : absl::StrJoin(holders, " and ");
}

std::vector<std::string> Row(const ThreadView& thread, uint64_t now_ns) {
  const std::string engines = absl::StrJoin(
      thread.engines, ",",
      [](std::string* out, const utrace_info& info) { out->append(EngineText(info)); });
  return {
      absl::StrCat(thread.info.tgid),
      absl::StrCat(thread.info.tid),
      thread.info.comm,
      StateText(thread),
      engines.empty() ? "-" : engines,
      thread.tracer.tid == 0 ? "-" : absl::StrCat(thread.tracer.comm, " (", thread.tracer.tid, ")"),
      HeldBy(thread, now_ns)};
}

absl::StatusOr<std::vector<pid_t>> ThreadsToShow(pid_t pid, const std::vector<utrace_info>& infos) {
  if (pid != 0) return ThreadsOf(pid);
  std::set<pid_t> threads;
  for (const utrace_info& info : infos) threads.insert(info.tid);
  return std::vector<pid_t>(threads.begin(), threads.end());
}

absl::Status Ps(const PsOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<utrace_info> infos, Ask(options.pid));
  ASSIGN_OR_RETURN(const std::vector<pid_t> threads, ThreadsToShow(options.pid, infos));
  const uint64_t now_ns = MonotonicNow();
  std::vector<std::vector<std::string>> rows{
      {"PID", "TID", "COMM", "STATE", "ENGINES", "PTRACER", "HELD BY"}};
  std::string lines;
  for (const pid_t tid : threads) {
    const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
    if (!info.ok()) continue;  // ended meanwhile
    const ThreadView thread = ViewThread(*info, infos);
    if (options.json) {
      lines += ThreadJson(thread, now_ns);
    } else {
      rows.push_back(Row(thread, now_ns));
    }
  }
  std::fputs(options.json ? lines.c_str() : FormatTable(rows).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

Run DefinePs(CLI::App& app) {
  auto options = std::make_shared<PsOptions>();
  app.add_option("-p,--pid", options->pid,
                 "all threads of this process (default: those of all that have engines)")
      ->check(AboveZeroError)
      ->type_name("PID");
  app.add_flag("-j,--json", options->json, "JSON Lines (docs/json-control.md) in place of a table");
  return [options](const ProgramArgs&) {
    const absl::Status status = Ps(*options);
    if (status.ok()) return kExitOk;
    PrintError(status);
    return kExitFailure;
  };
}

}  // namespace utrace
