// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/chosen_stop.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "include/uapi/utrace.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/libutrace/bpf/engine_records.h"
#include "userspace/libutrace/bpf/engine_types.h"
#include "userspace/libutrace/decode/syscall_table.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/predicate/expression.h"
#include "userspace/libutrace/session.h"
#include "userspace/utracectl/command.h"
#include "userspace/utracectl/hold_text.h"
#include "userspace/utracectl/target.h"

namespace utrace {
namespace {

// How often it is looked whether others have let all go.
constexpr absl::Duration kLook = absl::Milliseconds(500);
constexpr absl::Duration kLookFirst = absl::Milliseconds(20);  // whether it is held
// A thread tells of itself just before it is held. Who has let it go before anybody saw it held, is
// believed after this.
constexpr absl::Duration kHeldBy = absl::Seconds(5);

class Stopper {
 public:
  enum class End { kDone, kTimeout, kAskedToEnd, kProcessEnded };

  Stopper(const ThreadTarget& target, const ChosenStop& stop) : target_(target), stop_(stop) {}

  absl::Status Attach() {
    RETURN_IF_ERROR(CheckTakesEngines());
    // The kernel's program has its numbers alone.
    if (!InInitialPidNamespace()) {
      return ErrnoStatus(EOPNOTSUPP, absl::StrCat("stop ", target_.ProcessText(), " by --if"),
                         "utracectl is in a pid namespace of its own: run it outside");
    }
    // By itself first: what is wrong is then shown at its place.
    RETURN_IF_ERROR(ParseExpression(stop_.condition, Moment::kEntry).status());
    std::string chosen = absl::StrCat("call == ", stop_.call, " && (", stop_.condition, ")");
    if (!target_.WholeProcess()) absl::StrAppend(&chosen, " && tid == ", target_.Tid());
    ASSIGN_OR_RETURN(engine_, EngineObject::OpenBuiltIn(BuiltInEngine::kPause, chosen));
    RETURN_IF_ERROR(engine_->SetName(absl::StrCat("stop-", ::getpid())));
    RETURN_IF_ERROR(engine_->Set("each_thread", "true"));
    RETURN_IF_ERROR(engine_->SetHandover(stop_.handover));
    RETURN_IF_ERROR(engine_->SetTarget(target_.Pid(), /*children=*/false));
    RETURN_IF_ERROR(engine_->Load());
    RETURN_IF_ERROR(target_.EndedOr(engine_->Attach()));
    ASSIGN_OR_RETURN(records_, EngineRecords::Open(MapOf(engine_->Object(), kRecordsMap)));
    CatchInterrupts();
    Print(absl::StrCat("armed: engine ", engine_->Name(), " on ",
                       target_.WholeProcess()
                           ? target_.ProcessText()
                           : absl::StrCat("tid ", target_.Tid(), " of ", target_.ProcessText()),
                       ", each thread is held once, at the entry of its next ", stop_.call,
                       " of which it is true that ", stop_.condition));
    return absl::OkStatus();
  }

  bool AnyHeld() const { return !held_.empty(); }

  // Tells who is held, until `done`, which is asked after whatever came and at every look.
  template <typename Done>
  absl::StatusOr<End> Until(absl::Time deadline, const Done& done) {
    for (;;) {
      RETURN_IF_ERROR(Tell());
      if (Interrupted()) return End::kAskedToEnd;
      ASSIGN_OR_RETURN(const bool is_done, done());
      if (is_done) return End::kDone;
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) return End::kTimeout;
      pollfd wait[] = {{target_.Pidfd().Get(), POLLIN, 0}, {records_->PollFd(), POLLIN, 0}};
      const absl::Duration look = AllSeen() ? kLook : kLookFirst;
      const auto timeout = absl::ToInt64Milliseconds(std::min(left, look)) + 1;
      const int ready = ::poll(wait, std::size(wait), static_cast<int>(timeout));
      if (ready < 0 && errno != EINTR) return LastErrno("wait for the process");
      if (ready > 0 && wait[0].revents != 0) return End::kProcessEnded;
    }
  }

  // Every thread was held, and is no more.
  absl::StatusOr<bool> AllLetGo() {
    if (held_.empty()) return false;
    ASSIGN_OR_RETURN(const bool any_held, Look());
    const absl::StatusOr<std::vector<pid_t>> threads = target_.Threads();
    // Its end is seen otherwise.
    if (any_held || !AllSeen() || !threads.ok()) return false;
    return std::all_of(threads->begin(), threads->end(),
                       [this](pid_t tid) { return held_.contains(tid); });
  }

 private:
  bool AllSeen() const {
    return std::all_of(held_.begin(), held_.end(),
                       [](const auto& entry) { return entry.second.seen; });
  }

  // Whether any of them is held now, as the module has it.
  absl::StatusOr<bool> Look() {
    ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Open());
    ASSIGN_OR_RETURN(const std::vector<utrace_info> infos, session->List(target_.Pid()));
    bool any = false;
    for (const utrace_info& info : infos) {
      const bool is_ours = (info.flags & UTRACE_INFO_BPF) && OwnerComm(info) == engine_->Name();
      if (!is_ours || !IsHeld(info)) continue;
      held_[info.tid].seen = true;
      any = true;
    }
    for (auto& [tid, held] : held_) held.seen |= absl::Now() - held.told > kHeldBy;
    return any;
  }

  absl::Status Tell() {
    ASSIGN_OR_RETURN(const std::vector<EngineRecord> taken, records_->Take());
    for (const EngineRecord& record : taken) {
      held_[record.held].told = absl::Now();
      utrace_notice notice{};
      notice.type = UTRACE_NOTICE_HELD;
      notice.event = UTRACE_EVENT(SYSCALL_ENTRY);
      notice.tid = record.held;
      notice.tgid = target_.Pid();
      notice.nr = SyscallNumber(Abi::kX8664, stop_.call).value_or(-1);
      Print(HeldLine(notice));
    }
    return absl::OkStatus();
  }

  const ThreadTarget& target_;
  const ChosenStop& stop_;
  std::unique_ptr<EngineObject> engine_;
  std::unique_ptr<EngineRecords> records_;
  struct Held {
    absl::Time told;
    bool seen = false;  // as held
  };
  std::map<pid_t, Held> held_;
};

}  // namespace

absl::StatusOr<int> RunChosenStop(const ThreadTarget& target, const ChosenStop& stop,
                                  const Ready& ready) {
  Stopper stopper(target, stop);
  RETURN_IF_ERROR(stopper.Attach());
  using End = Stopper::End;
  End end = End::kDone;
  if (stop.wait > absl::ZeroDuration()) {
    ASSIGN_OR_RETURN(end, stopper.Until(absl::Now() + stop.wait, [&]() -> absl::StatusOr<bool> {
      return stopper.AnyHeld();
    }));
  }
  if (end == End::kDone) {
    Print(absl::StrCat(stop.background ? absl::StrCat("to let go: kill ", ::getpid())
                                       : std::string("to let go: Ctrl-C"),
                       ", or utracectl resume ", target.Argument()));
    ready(kExitOk);
    ASSIGN_OR_RETURN(end,
                     stopper.Until(absl::InfiniteFuture(), [&] { return stopper.AllLetGo(); }));
  }
  switch (end) {
    case End::kTimeout:
      PrintError(absl::DeadlineExceededError(absl::StrCat(
          "wait for ", target.ProcessText(), ": not held within ", absl::FormatDuration(stop.wait),
          " at a ", stop.call, " of which it is true that ", stop.condition)));
      PrintNote("all are let go");
      return kExitFailure;
    case End::kDone:
    case End::kProcessEnded:
      Print(absl::StrCat("done: nothing of ", target.ProcessText(), " is held any more"));
      return kExitOk;
    case End::kAskedToEnd:
      break;
  }
  return kExitOk;
}

}  // namespace utrace
