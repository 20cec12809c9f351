// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/target.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/decode/copy_rules.h"

namespace utrace {
namespace {

std::atomic<int> interrupts = 0;

void OnInterrupt(int signo) {
  if (interrupts.fetch_add(1) == 0) return;
  signal(signo, SIG_DFL);
  raise(signo);
}

absl::StatusOr<CommandUser> FindUser(const std::string& name) {
  errno = 0;
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) {
    return errno ? LastErrno(absl::StrCat("look up user ", name))
                 : absl::NotFoundError(absl::StrCat("run as ", name, ": there is no such user"));
  }
  CommandUser user{entry->pw_uid, entry->pw_gid, {}};
  int count = 64;
  user.groups.resize(static_cast<size_t>(count));
  while (getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0) {
    user.groups.resize(static_cast<size_t>(count));
  }
  user.groups.resize(static_cast<size_t>(count));
  return user;
}

int ExecFailureStatus(const absl::Status& status) {
  switch (ErrnoOf(status)) {
    case ENOENT:
    case ENOTDIR:
      return kExitNotFound;
    case EACCES:
    case ENOEXEC:
    case EISDIR:
      return kExitNotExecutable;
    default:
      return kExitOwnFailure;
  }
}

absl::StatusOr<std::unique_ptr<Observer>> MakeObserver(const TargetOptions& options) {
  const auto rules64 = std::make_unique<CopyRuleTable>(CopyRulesFor(Abi::kX8664));
  const auto rules32 = std::make_unique<CopyRuleTable>(CopyRulesFor(Abi::kI386));
  ObserverOptions wanted;
  wanted.follow = options.follow;
  wanted.data_limit = options.string_limit;
  wanted.rules_x86_64 = *rules64;
  wanted.rules_i386 = *rules32;
  return Observer::Create(wanted);
}

}  // namespace

void AddTargetOptions(CLI::App& app, TargetOptions* options) {
  app.add_flag("-f,--follow", options->follow, "trace processes that traced ones start, too");
  app.add_option("-p,--pid", options->pids, "a running process; may be given again, or as 1,2,3")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  app.add_option("-u,--user", options->user, "run PROGRAM as this user")->type_name("USER");
  app.add_option("-s,--string-limit", options->string_limit,
                 "show at most this many bytes of a buffer or string (32)")
      ->check(CLI::Range(0, UTRACE_PAYLOAD_MAX))
      ->type_name("N");
  app.footer("After the options: [--] PROGRAM ARG..., unless -p is given.");
}

std::optional<Target> Target::Prepare(const TargetOptions& options, const ProgramArgs& program,
                                      int* exit_status) {
  const auto fail = [&](const absl::Status& status, int code) {
    PrintError(status);
    *exit_status = code;
    return std::nullopt;
  };
  if (program.empty() == options.pids.empty()) {
    *exit_status = UsageError("give either -p PID or a program to run, as in: trace -f -- ls -l");
    return std::nullopt;
  }
  if (program.empty() && !options.user.empty()) {
    *exit_status = UsageError("-u says as whom a program is run; with -p there is none");
    return std::nullopt;
  }
  const int own_failure = program.empty() ? kExitFailure : kExitOwnFailure;
  Target target;
  if (!program.empty()) {
    std::optional<CommandUser> user;
    if (!options.user.empty()) {
      absl::StatusOr<CommandUser> found = FindUser(options.user);
      if (!found.ok()) return fail(found.status(), own_failure);
      user = *std::move(found);
    } else if (const char* invoker = getenv("SUDO_USER"); invoker != nullptr && geteuid() == 0) {
      PrintNote(
          absl::StrCat("note: ", program[0], " runs as root; -u ", invoker, " runs it as you"));
    }
    absl::StatusOr<HeldCommand> held = HeldCommand::Spawn(program, user);
    if (!held.ok()) return fail(held.status(), ExecFailureStatus(held.status()));
    target.program_ = *std::move(held);
    target.program_name_ = program[0];
  }
  absl::StatusOr<std::unique_ptr<Observer>> observer = MakeObserver(options);
  if (!observer.ok()) return fail(observer.status(), own_failure);
  target.observer_ = *std::move(observer);
  if (target.program_.has_value()) {
    const absl::Status added = target.observer_->AddProcessAtExec(target.program_->Pid());
    if (!added.ok()) return fail(added, own_failure);
    return target;
  }
  size_t attached = 0;
  for (const int pid : options.pids) {
    const absl::Status added = target.observer_->AddProcess(pid);
    if (added.ok()) {
      ++attached;
    } else {
      PrintError(added);
    }
  }
  if (attached == 0) {
    *exit_status = kExitFailure;
    return std::nullopt;
  }
  target.threads_ = target.observer_->LiveThreads();
  return target;
}

std::optional<int> Target::Release() {
  if (!program_.has_value()) return std::nullopt;
  const absl::Status status = program_->Release();
  if (!status.ok()) {
    PrintError(status);
    return ExecFailureStatus(status);
  }
  released_ = true;
  return std::nullopt;
}

int Target::Finish() {
  if (!program_.has_value()) return kExitOk;
  const absl::StatusOr<int> status = program_->Wait();
  if (!status.ok()) {
    PrintError(status.status());
    return kExitFailure;
  }
  if (!WIFSIGNALED(*status)) return WEXITSTATUS(*status);
  // The same end, but no core of ours over the program's.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const int signo = WTERMSIG(*status);
  signal(signo, SIG_DFL);
  raise(signo);
  return 128 + signo;
}

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  // No SA_RESTART: a wait for events must end at once.
  for (const int signo : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old {};
    // What was ignored from the start stays so, as under nohup.
    if (sigaction(signo, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    sigaction(signo, &action, nullptr);
  }
}

bool Interrupted() { return interrupts.load() > 0; }

std::string TotalsText(uint64_t events, uint64_t lost) {
  return absl::StrCat(events, events == 1 ? " event, " : " events, ", lost, " lost");
}

}  // namespace utrace
