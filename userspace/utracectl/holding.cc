// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/holding.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/libutrace/process_info.h"
#include "userspace/utracectl/hold_text.h"

namespace utrace {
namespace {

// A thread may die, or be let go by another, between its notice and our answer.
absl::Status UnlessGone(const absl::Status& status) {
  const int error = ErrnoOf(status);
  return error == ESRCH || error == ERANGE ? absl::OkStatus() : status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Holding>> Holding::Create(std::unique_ptr<Session> session,
                                                         HoldRules rules, LinePrinter print) {
  std::unique_ptr<Holding> holding(
      new Holding(std::move(session), std::move(rules), std::move(print)));
  RETURN_IF_ERROR(holding->CatchSignals());
  return holding;
}

Holding::~Holding() {
  if (signals_) ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

absl::Status Holding::CatchSignals() {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGCHLD);
  for (const int signo : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    // What was ignored from the start stays so, as under nohup.
    if (::sigaction(signo, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    ::sigaddset(&wanted, signo);
  }
  if (::sigprocmask(SIG_BLOCK, &wanted, &mask_before_) != 0) return LastErrno("block signals");
  signals_ = UniqueFd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  return signals_ ? absl::OkStatus() : LastErrno("make a descriptor for signals");
}

absl::Status Holding::Add(const Engine& engine) {
  engines_.emplace(engine.Id(), engine);
  ASSIGN_OR_RETURN(const std::vector<utrace_info> infos, session_->List());
  for (const utrace_info& info : infos) {
    if (info.engine == engine.Id()) threads_.emplace(Key{info.engine, info.tid}, State::kArmed);
  }
  return absl::OkStatus();
}

absl::Status Holding::StopAll() {
  for (auto& [id, engine] : engines_) {
    const absl::StatusOr<StopResult> stop = engine.Stop();
    if (!stop.ok()) return stop.status();
  }
  return absl::OkStatus();
}

absl::StatusOr<Holding::End> Holding::Run(const std::function<bool()>& done, absl::Time deadline,
                                          absl::Duration tick) {
  for (;;) {
    RETURN_IF_ERROR(ReadNotices());
    if (doubtful_) RETURN_IF_ERROR(CheckAgainstModule());
    if (done()) return End::kDone;
    if (asked_to_end_) return End::kAskedToEnd;
    if (Count(State::kArmed) + Count(State::kHeld) == 0) return End::kNothingLeft;
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return End::kTimeout;
    RETURN_IF_ERROR(WaitForAnything(std::min(left, tick)).status());
  }
}

absl::StatusOr<bool> Holding::WaitForAnything(absl::Duration timeout) {
  pollfd fds[2] = {{session_->PollFd(), POLLIN, 0}, {signals_.Get(), POLLIN, 0}};
  const timespec limit = absl::ToTimespec(timeout);
  if (::ppoll(fds, 2, &limit, nullptr) < 0 && errno != EINTR) return LastErrno("wait for notices");
  signalfd_siginfo info;
  while (::read(signals_.Get(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo != SIGCHLD) asked_to_end_ = true;
  }
  return fds[0].revents != 0;
}

absl::Status Holding::ReadNotices() {
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<utrace_notice> notices, session_->Read());
    if (notices.empty()) return absl::OkStatus();
    for (const utrace_notice& notice : notices) RETURN_IF_ERROR(Handle(notice));
  }
}

absl::Status Holding::Handle(const utrace_notice& notice) {
  const auto found = engines_.find(notice.engine);
  if (found == engines_.end()) return absl::OkStatus();
  const Key key{notice.engine, notice.tid};
  switch (notice.type) {
    case UTRACE_NOTICE_HELD:
      return HandleHeld(found->second, notice);
    case UTRACE_NOTICE_STOPPED:
      threads_[key] = State::kHeld;
      if (rules_.tell_each) print_(HeldLine(notice));
      return absl::OkStatus();
    case UTRACE_NOTICE_ATTACHED:
      threads_[key] = State::kArmed;
      return absl::OkStatus();
    case UTRACE_NOTICE_MISSED:
      print_(absl::StrCat("lost: a thread or child of tid ", notice.tid,
                          " runs unwatched: ", ErrnoText(static_cast<int>(-notice.result))));
      return absl::OkStatus();
    case UTRACE_NOTICE_RELEASED:
      if (notice.reason == UTRACE_RELEASED_HANDED_OVER) HandleHandover(key);
      doubtful_ = true;
      return absl::OkStatus();
    case UTRACE_NOTICE_AWAITED:
      print_(absl::StrCat("awaited: tid ", notice.tid, ": ", DebuggerText(notice.tid),
                          " waits until it is let go"));
      return absl::OkStatus();
    case UTRACE_NOTICE_GONE:
      // It may have been the leader, whose number goes on with another thread's state.
      doubtful_ = true;
      HandleGone(notice);
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
}

absl::Status Holding::HandleHeld(Engine& engine, const utrace_notice& notice) {
  if (rules_.keep && !rules_.keep(notice)) return UnlessGone(engine.Answer(notice));
  threads_[Key{notice.engine, notice.tid}] = State::kHeld;
  if (rules_.tell_each) print_(HeldLine(notice));
  return rules_.once ? UnlessGone(engine.SetEvents(0, notice.tid)) : absl::OkStatus();
}

void Holding::HandleHandover(const Key& key) {
  threads_[key] = AfterHold();
  print_(absl::StrCat("handed over: tid ", key.second, ", to ", DebuggerText(key.second)));
}

void Holding::HandleGone(const utrace_notice& notice) {
  const auto found = threads_.find(Key{notice.engine, notice.tid});
  const bool held = found != threads_.end() && found->second == State::kHeld;
  if (found != threads_.end()) threads_.erase(found);
  switch (notice.reason) {
    case UTRACE_GONE_DEATH:
      if (held) print_(absl::StrCat("ended: tid ", notice.tid, ", which was held"));
      return;
    case UTRACE_GONE_EXEC:
      print_(absl::StrCat("lost: ", ThreadText(notice),
                          " runs on unheld: its new program has rights that this user may not "
                          "trace"));
      return;
    case UTRACE_GONE_RELEASED:
      print_(absl::StrCat("let go: tid ", notice.tid, ", detached by another"));
      return;
    default:
      return;
  }
}

Holding::State Holding::AfterHold() const {
  return rules_.once || rules_.stop_all ? State::kLetGo : State::kArmed;
}

// The module knows best which holds stand, and under which number.
absl::Status Holding::CheckAgainstModule() {
  doubtful_ = false;
  ASSIGN_OR_RETURN(const std::vector<utrace_info> infos, session_->List());
  std::map<Key, utrace_info> now;
  for (const utrace_info& info : infos) {
    if (engines_.count(info.engine)) now[Key{info.engine, info.tid}] = info;
  }
  for (auto it = threads_.begin(); it != threads_.end();) {
    const auto found = now.find(it->first);
    if (found == now.end()) {
      it = threads_.erase(it);
      continue;
    }
    const bool held = IsHeld(found->second);
    // An asynchronous stop counts from the moment it is asked for.
    const bool expected =
        it->second == State::kHeld || (rules_.stop_all && it->second == State::kArmed);
    if (expected && !held) {
      it->second = AfterHold();
      print_(absl::StrCat("let go: tid ", it->first.second, ", resumed by another"));
    }
    ++it;
  }
  return absl::OkStatus();
}

size_t Holding::Count(State state) const {
  return static_cast<size_t>(
      std::count_if(threads_.begin(), threads_.end(),
                    [state](const auto& entry) { return entry.second == state; }));
}

std::vector<pid_t> Holding::Armed() const {
  std::vector<pid_t> tids;
  for (const auto& [key, state] : threads_) {
    if (state == State::kArmed) tids.push_back(key.second);
  }
  return tids;
}

std::vector<pid_t> Holding::Held() const {
  std::vector<pid_t> tids;
  for (const auto& [key, state] : threads_) {
    if (state == State::kHeld) tids.push_back(key.second);
  }
  return tids;
}

std::string Holding::EngineNumbers() const {
  return absl::StrJoin(engines_, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first);
  });
}

void Holding::LetGo() {
  const std::vector<pid_t> held = Held();
  for (auto& [id, engine] : engines_) engine.Detach().IgnoreError();
  const absl::StatusOr<std::vector<utrace_info>> others = session_->List();
  for (const pid_t tid : held) {
    const std::string holders = others.ok() ? HoldersOf(*others, tid) : "";
    if (!holders.empty()) {
      print_(absl::StrCat("let go: tid ", tid, ", still held by ", holders));
    } else if (rules_.tell_each) {
      print_(absl::StrCat("let go: tid ", tid));
    }
  }
  engines_.clear();
  threads_.clear();
}

}  // namespace utrace
