// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/syscall_table.h"
#include "userspace/libutrace/interrupt_effect.h"
#include "userspace/utracectl/chosen_stop.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/hold_text.h"
#include "userspace/utracectl/holder.h"
#include "userspace/utracectl/holding.h"
#include "userspace/utracectl/thread_target.h"

namespace utrace {
namespace {

// Threads that run come by in far less; those that sleep, not at all.
constexpr absl::Duration kSettle = absl::Seconds(1);
constexpr absl::Duration kSettleTick = absl::Milliseconds(10);
// More than these are told by number, not each by a line.
constexpr size_t kToldEach = 16;

struct StopOptions {
  std::string target;
  std::string at;
  std::string chosen;  // of --if
  bool interrupt = false;
  bool handover = false;
  double wait = 0;  // seconds; 0: as long as it takes to say how things stand
  bool background = false;
};

bool ComesBy(pid_t tid) {
  const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
  return info.ok() && info->state == 'R';
}

// What --at names: a call, or a signal.
struct Place {
  std::optional<int> call;
  int signo = 0;  // 0 without a call: any signal
  std::string text;
};

absl::StatusOr<Place> ParsePlace(absl::string_view at) {
  Place place;
  absl::string_view name = at;
  if (absl::ConsumePrefix(&name, "syscall:")) {
    place.call = SyscallNumber(Abi::kX8664, name);
    if (!place.call.has_value()) {
      return absl::NotFoundError(
          absl::StrCat("--at ", at, ": there is no system call of that name"));
    }
    place.text = absl::StrCat("the entry of its next ", name);
    return place;
  }
  if (!absl::ConsumePrefix(&name, "signal:")) {
    return absl::InvalidArgumentError(
        "it takes syscall:NAME or signal:NAME, as in syscall:openat or signal:SEGV");
  }
  if (name == "any") {
    place.text = "its next signal that it does not ignore";
    return place;
  }
  place.signo = SignalNumber(name);
  if (place.signo == 0) {
    return absl::NotFoundError(
        absl::StrCat("--at ", at, ": there is no signal of that name; 'kill -l' lists them"));
  }
  if (place.signo == SIGKILL) {
    return absl::InvalidArgumentError(
        "--at signal:KILL: a thread cannot be held at SIGKILL, which always wins");
  }
  place.text = absl::StrCat("its next ", SignalName(place.signo));
  return place;
}

uint32_t EventsFor(const Place& place) {
  return place.call.has_value() ? UTRACE_EVENT(SYSCALL_ENTRY) : UTRACE_EVENTS_SIGNAL;
}

// It may break blocking calls: only who names a signal that is ignored by default wants it.
bool Intercepts(const Place& place) {
  return place.signo == SIGCHLD || place.signo == SIGCONT || place.signo == SIGURG ||
         place.signo == SIGWINCH;
}

// What --interrupt will do, said before it is done.
std::vector<pid_t> TellInterrupts(const ThreadTarget& target) {
  std::vector<pid_t> asleep;
  const absl::StatusOr<std::vector<pid_t>> threads = target.Threads();
  if (!threads.ok()) return asleep;
  for (const pid_t tid : *threads) {
    const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
    if (!info.ok() || !info->Asleep()) continue;
    asleep.push_back(tid);
    const int nr = CallInProgress(tid);
    if (nr < 0) {
      Print(absl::StrCat("interrupt: tid ", tid, " asleep in a call that may not be known"));
      continue;
    }
    const std::string call = SyscallName(Abi::kX8664, nr);
    Print(absl::StrCat("interrupt: tid ", tid, ": ", call, " ", Describe(EffectOfInterrupt(call))));
  }
  return asleep;
}

void TellArmed(const Holding& holding) {
  const std::vector<pid_t> armed = holding.Armed();
  if (armed.size() <= kToldEach) {
    for (const pid_t tid : armed) {
      Print(absl::StrCat("armed: tid ", tid, " ", DoingText(tid),
                         "; it will run no further instruction of its own"));
    }
    return;
  }
  std::map<std::string, int> doing;
  for (const pid_t tid : armed) ++doing[DoingText(tid)];
  for (const auto& [what, count] : doing) {
    Print(absl::StrCat("armed: ", count, " threads ", what,
                       "; they will run no further instruction of their own"));
  }
}

class Stop {
 public:
  Stop(const StopOptions& options, const Ready& ready) : options_(options), ready_(ready) {}

  absl::StatusOr<int> Run() {
    ASSIGN_OR_RETURN(const ThreadId id, ParseThreadId(options_.target));
    ASSIGN_OR_RETURN(target_, OpenTarget(id));
    if (!options_.chosen.empty()) return RunChosen();
    ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
    if (options_.handover) session->HandOver();
    HoldRules rules;
    rules.stop_all = options_.at.empty();
    rules.once = !options_.at.empty();
    if (!options_.at.empty()) {
      ASSIGN_OR_RETURN(place_, ParsePlace(options_.at));
      const int signo = place_.signo;
      if (signo != 0) rules.keep = [signo](const auto& notice) { return notice.result == signo; };
    }
    ASSIGN_OR_RETURN(const std::vector<pid_t> threads, target_->Threads());
    rules.tell_each = threads.size() <= kToldEach;
    ASSIGN_OR_RETURN(holding_, Holding::Create(std::move(session), std::move(rules), Print));
    TellPtracer();
    ASSIGN_OR_RETURN(const Holding::End end, options_.at.empty() ? StopNow() : Arm());
    return Conclude(end);
  }

 private:
  static absl::StatusOr<std::unique_ptr<ThreadTarget>> OpenTarget(ThreadId id) {
    ASSIGN_OR_RETURN(ThreadTarget target, ThreadTarget::Open("stop", id));
    return std::make_unique<ThreadTarget>(std::move(target));
  }

  absl::StatusOr<int> RunChosen() {
    TellPtracer();
    ChosenStop stop;
    stop.call = options_.at.substr(options_.at.find(':') + 1);
    stop.condition = options_.chosen;
    stop.handover = options_.handover;
    stop.background = options_.background;
    stop.wait = absl::Seconds(options_.wait);
    return RunChosenStop(*target_, stop, ready_);
  }

  void TellPtracer() {
    const pid_t tracer = target_->Leader().tracer;
    const absl::StatusOr<ThreadInfo> info = ReadThread(tracer);
    if (tracer == 0 || !info.ok()) return;
    Print(absl::StrCat("note: ", target_->ProcessText(), " is also traced by ",
                       ProcessName(tracer, info->comm), ": both go on"));
  }

  absl::StatusOr<Holding::End> StopNow() {
    std::vector<pid_t> asleep;
    if (options_.interrupt) asleep = TellInterrupts(*target_);
    ASSIGN_OR_RETURN(Engine engine, target_->Attach(holding_->GetSession(), 0));
    RETURN_IF_ERROR(holding_->Add(engine));
    RETURN_IF_ERROR(holding_->StopAll());
    for (const pid_t tid : asleep) {
      const absl::Status status = engine.Interrupt(tid);
      if (!status.ok() && ErrnoOf(status) != ESRCH) return status;
    }
    ASSIGN_OR_RETURN(Holding::End end, Settle(!asleep.empty()));
    if (end == Holding::End::kAskedToEnd || end == Holding::End::kNothingLeft) return end;
    if (options_.wait > 0 && !holding_->Armed().empty()) return Holding::End::kTimeout;
    TellArmed(*holding_);
    if (holding_->Held().size() > kToldEach) {
      Print(absl::StrCat("held: ", holding_->Held().size(), " of ", holding_->Watched(),
                         " threads of ", target_->ProcessText()));
    }
    return KeepHolding();
  }

  // Until all are held; or, unless a wait was asked for, all others sleep.
  absl::StatusOr<Holding::End> Settle(bool interrupted) {
    const bool wait_for_all = options_.wait > 0 || interrupted;
    const auto settled = [&] {
      for (const pid_t tid : holding_->Armed()) {
        if (wait_for_all || ComesBy(tid)) return false;
      }
      return true;
    };
    const absl::Duration limit = options_.wait > 0 ? absl::Seconds(options_.wait) : kSettle;
    return holding_->Run(settled, absl::Now() + limit, kSettleTick);
  }

  absl::StatusOr<Holding::End> Arm() {
    if (Intercepts(place_)) holding_->GetSession().Intercept();
    // The set comes first: at no moment is every call told.
    ASSIGN_OR_RETURN(Engine engine, target_->Attach(holding_->GetSession(), 0));
    if (place_.call.has_value()) RETURN_IF_ERROR(engine.SetSyscalls({*place_.call}));
    RETURN_IF_ERROR(engine.SetEvents(EventsFor(place_)));
    RETURN_IF_ERROR(holding_->Add(engine));
    Print(absl::StrCat("armed: engine ", engine.Id(), " on ", engine.Threads(),
                       engine.Threads() == 1 ? " thread of " : " threads of ",
                       target_->ProcessText(), ", each is held once, at ", place_.text));
    if (options_.wait > 0) {
      ASSIGN_OR_RETURN(const Holding::End end,
                       holding_->Run([this] { return holding_->AnyHeld(); },
                                     absl::Now() + absl::Seconds(options_.wait)));
      if (end != Holding::End::kDone) return end;
    }
    return KeepHolding();
  }

  absl::StatusOr<Holding::End> KeepHolding() {
    Print(absl::StrCat(options_.background ? absl::StrCat("to let go: kill ", ::getpid())
                                           : std::string("to let go: Ctrl-C"),
                       ", or utracectl resume ", target_->Argument(), " --engine ",
                       holding_->EngineNumbers()));
    ready_(kExitOk);
    return holding_->Run([] { return false; }, absl::InfiniteFuture());
  }

  int Conclude(Holding::End end) {
    switch (end) {
      case Holding::End::kTimeout: {
        const std::vector<pid_t> armed = holding_->Armed();
        const pid_t example = armed.empty() ? 0 : armed.front();
        PrintError(absl::DeadlineExceededError(
            absl::StrCat("wait for ", target_->ProcessText(), ": not held within ", options_.wait,
                         " s: tid ", example, " is ", DoingText(example))));
        PrintNote(options_.at.empty() && !options_.interrupt
                      ? "all are let go; --interrupt breaks calls that block"
                      : "all are let go");
        holding_->LetGo();
        return kExitFailure;
      }
      case Holding::End::kNothingLeft:
        Print(absl::StrCat("done: nothing of ", target_->ProcessText(), " is held any more"));
        return kExitOk;
      case Holding::End::kDone:
      case Holding::End::kAskedToEnd:
        break;
    }
    holding_->LetGo();
    return kExitOk;
  }

  const StopOptions& options_;
  const Ready& ready_;
  Place place_;
  std::unique_ptr<ThreadTarget> target_;
  std::unique_ptr<Holding> holding_;
};

int RunStop(const StopOptions& options, const Ready& ready) {
  const absl::StatusOr<int> result = Stop(options, ready).Run();
  if (result.ok()) return *result;
  PrintError(result.status());
  return kExitFailure;
}

}  // namespace

Run DefineStop(CLI::App& app) {
  auto options = std::make_shared<StopOptions>();
  app.add_option("-p,--pid", options->target, "a process, or one thread of it")
      ->required()
      ->check(ThreadIdError)
      ->type_name("PID[/TID]");
  app.add_option("--at", options->at,
                 "hold each thread not at once but at the entry of its next call of this name, or "
                 "at its next signal (signal:any: whichever it does not ignore) before anything "
                 "is done about it; resume delivers it")
      ->type_name("syscall:NAME|signal:NAME")
      ->check(
          [](const std::string& text) { return std::string(ParsePlace(text).status().message()); });
  app.add_option("--if,--when", options->chosen,
                 "with --at syscall:NAME: only at a call of which this is true, decided in the "
                 "kernel (docs/expressions.md)")
      ->type_name("EXPR");
  app.add_flag("--interrupt", options->interrupt,
               "break blocking calls, after saying what each thread will see of it");
  app.add_option("--wait", options->wait,
                 "wait up to S seconds until all are held (with --at: until one is); else let go "
                 "and fail")
      ->check(AboveZeroError)
      ->type_name("S");
  app.add_flag("--handover", options->handover, kHandoverHelp);
  app.add_flag("--background", options->background,
               "leave a process named utracectl-holder that holds on");
  return [options](const ProgramArgs&) {
    if (options->interrupt && !options->at.empty()) {
      return UsageError(
          "stop: --interrupt breaks the call a thread is in; with --at it is held at "
          "a later one, so give only one of them");
    }
    if (!options->chosen.empty() && options->at.rfind("syscall:", 0) != 0) {
      return UsageError("stop: --if chooses among calls: give it with --at syscall:NAME");
    }
    if (!options->background) return RunStop(*options, StayInForeground);
    std::string arguments = absl::StrCat("stop -p ", options->target);
    if (!options->at.empty()) absl::StrAppend(&arguments, " --at ", options->at);
    if (!options->chosen.empty()) absl::StrAppend(&arguments, " --if ", options->chosen);
    return RunAsHolder(arguments,
                       [options](const Ready& ready) { return RunStop(*options, ready); });
  };
}

}  // namespace utrace
