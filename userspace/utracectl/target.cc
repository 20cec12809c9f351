// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/target.h"

#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>

#include "absl/strings/str_cat.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/decode/copy_rules.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/predicate/compile.h"
#include "userspace/libutrace/predicate/expression.h"

namespace utrace {
namespace {

std::atomic<int> interrupts = 0;

void OnInterrupt(int signo) {
  if (interrupts.fetch_add(1) == 0) return;
  signal(signo, SIG_DFL);
  raise(signo);
}

absl::StatusOr<std::unique_ptr<Observer>> MakeObserver(const TargetOptions& options,
                                                       const std::vector<bpf_insn>& chosen) {
  const auto rules64 = std::make_unique<CopyRuleTable>(CopyRulesFor(Abi::kX8664));
  const auto rules32 = std::make_unique<CopyRuleTable>(CopyRulesFor(Abi::kI386));
  ObserverOptions wanted;
  wanted.follow = options.follow;
  wanted.data_limit = options.string_limit;
  wanted.rules_x86_64 = *rules64;
  wanted.rules_i386 = *rules32;
  wanted.use_module = !options.no_module;
  wanted.chosen = chosen;
  return Observer::Create(wanted);
}

// Empty if there is no expression.
absl::StatusOr<std::vector<bpf_insn>> CompileChoice(const std::string& text) {
  if (text.empty()) return std::vector<bpf_insn>();
  ASSIGN_OR_RETURN(const Expression expression, ParseExpression(text));
  return CompileExpression(expression);
}

}  // namespace

void AddTargetOptions(CLI::App& app, TargetOptions* options) {
  app.add_flag("-f,--follow", options->follow, "trace processes that traced ones start, too");
  app.add_option("-p,--pid", options->pids, "a running process; may be given again, or as 1,2,3")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(AboveZeroError)
      ->type_name("PID");
  app.add_option("-u,--user", options->user, "run PROGRAM as this user")->type_name("USER");
  app.add_option("-s,--string-limit", options->string_limit,
                 "show at most this many bytes of a buffer or string (32)")
      ->check(CLI::Range(0, UTRACE_PAYLOAD_MAX))
      ->type_name("N");
  app.add_option("--if,--when", options->chosen,
                 "only calls of which this is true, decided in the kernel (docs/expressions.md)")
      ->type_name("EXPR");
  app.add_flag("--no-module", options->no_module,
               "take calls from the raw tracepoint even if the utrace module is loaded");
  app.add_flag("-v,--verbose", options->verbose,
               "say where calls come from, and why; with the module, when processes were reaped");
  app.footer("After the options: [--] PROGRAM ARG..., unless -p is given.");
}

std::optional<Target> Target::Prepare(const TargetOptions& options, const ProgramArgs& program,
                                      int* exit_status) {
  if (program.empty() == options.pids.empty()) {
    *exit_status = UsageError("give either -p PID or a program to run, as in: trace -f -- ls -l");
    return std::nullopt;
  }
  if (program.empty() && !options.user.empty()) {
    *exit_status = UsageError("-u says as whom a program is run; with -p there is none");
    return std::nullopt;
  }
  const absl::StatusOr<std::vector<bpf_insn>> chosen = CompileChoice(options.chosen);
  if (!chosen.ok()) {
    *exit_status = UsageError(chosen.status().message());
    return std::nullopt;
  }
  Target target;
  if (!program.empty()) {
    target.program_ = Program::Spawn(program, options.user, exit_status);
    if (!target.program_.has_value()) return std::nullopt;
  }
  const auto fail = [&](const absl::Status& status) {
    PrintError(status);
    *exit_status = target.OwnFailure();
    return std::nullopt;
  };
  absl::StatusOr<std::unique_ptr<Observer>> observer = MakeObserver(options, *chosen);
  if (!observer.ok()) return fail(observer.status());
  target.observer_ = *std::move(observer);
  if (target.program_.has_value()) {
    const absl::Status added = target.observer_->AddProcessAtExec(target.program_->Pid());
    if (!added.ok()) return fail(added);
    target.TellSource(options);
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
  target.incomplete_ = attached < options.pids.size();
  if (target.incomplete_) {
    PrintNote(absl::StrCat("note: goes on with ", attached, " of the ", options.pids.size(),
                           " processes asked for, and will exit with ", int{kExitFailure}));
  }
  target.threads_ = target.observer_->LiveThreads();
  target.TellSource(options);
  return target;
}

void Target::TellSource(const TargetOptions& options) {
  from_module_ = observer_->CallsFromModule();
  // A module that is there and of no use is news; one that is not there is not.
  const bool in_vain = !from_module_ && !options.no_module && ModuleLoaded();
  if (!options.verbose && !in_vain) return;
  PrintNote(
      from_module_
          ? "calls come from the utrace module's hooks on the traced threads"
          : absl::StrCat("calls come from the raw tracepoint, which costs each thread of this "
                         "machine about 0.1 to 0.2 us a call, since: ",
                         observer_->WhyNotFromModule().message()));
}

std::optional<int> Target::Release() {
  if (!program_.has_value()) return std::nullopt;
  if (const std::optional<int> failed = program_->Start()) return failed;
  return program_->Confirm();
}

int Target::Finish(const absl::Status& failure, bool too_much_lost) {
  if (from_module_ && !observer_->CallsFromModule()) {
    PrintNote(
        absl::StrCat("note: calls come from the raw tracepoint since, in the middle of the trace, ",
                     observer_->WhyNotFromModule().message()));
  }
  absl::StatusOr<int> status = 0;
  if (program_.has_value()) status = program_->Wait();
  if (!status.ok()) PrintError(status.status());
  if (!failure.ok() || !status.ok() || incomplete_) return kExitFailure;
  if (too_much_lost) return kExitLoss;
  return program_.has_value() ? EndLike(*status) : kExitOk;
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
