// SPDX-License-Identifier: Apache-2.0
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/control/child.h"
#include "bench/control/cpu.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "bench/control/ticks.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/session.h"

namespace utrace::bench {
namespace {

constexpr int kThreads = 1000;
constexpr int kRounds = 7;

std::vector<pid_t> ThreadsOf(pid_t pid) {
  std::vector<pid_t> tids;
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"))) {
    tids.push_back(std::stoi(entry.path().filename()));
  }
  return tids;
}

// What the tracer's own calls take: it runs ahead of everybody, so that nobody else's time is
// counted.
absl::Status AddCalls(Series* series, const std::function<absl::Status()>& calls) {
  const Ahead ahead;
  const uint64_t begin = Ticks();
  RETURN_IF_ERROR(calls());
  series->Add(static_cast<double>(Ticks() - begin));
  return absl::OkStatus();
}

struct Ours {
  Series attach, events, detach, whole;

  absl::Status Trace(Session* session, const UniqueFd& pidfd, pid_t pid) {
    std::optional<Engine> engine;
    RETURN_IF_ERROR(AddCalls(&attach, [&]() -> absl::Status {
      ASSIGN_OR_RETURN(engine, session->Attach(AttachTarget::Process(pidfd, pid), 0));
      return absl::OkStatus();
    }));
    if (engine->Threads() != kThreads) {
      return absl::InternalError(absl::StrCat("attached to ", engine->Threads(), " threads"));
    }
    RETURN_IF_ERROR(AddCalls(&events, [&] { return engine->SetEvents(UTRACE_EVENT_SYSCALL); }));
    return AddCalls(&detach, [&] { return engine->Detach().status(); });
  }
};

struct Ptrace {
  Series seize, stop, detach, whole;

  absl::Status Trace(const std::vector<pid_t>& tids) {
    RETURN_IF_ERROR(AddCalls(&seize, [&] {
      return Each(tids, "PTRACE_SEIZE", [](pid_t tid) {
        return ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) == 0;
      });
    }));
    // Only a stopped thread can be let go of.
    RETURN_IF_ERROR(AddCalls(&stop, [&] { return Stop(tids); }));
    return AddCalls(&detach, [&] {
      return Each(tids, "PTRACE_DETACH",
                  [](pid_t tid) { return ptrace(PTRACE_DETACH, tid, 0, 0) == 0; });
    });
  }

  static absl::Status Stop(const std::vector<pid_t>& tids) {
    RETURN_IF_ERROR(Each(tids, "PTRACE_INTERRUPT",
                         [](pid_t tid) { return ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0; }));
    return Each(tids, "waitpid", [](pid_t tid) { return waitpid(tid, nullptr, __WALL) == tid; });
  }

  static absl::Status Each(const std::vector<pid_t>& tids, const char* what, bool (*call)(pid_t)) {
    for (const pid_t tid : tids) {
      if (!call(tid)) return LastErrno(absl::StrCat(what, " of thread ", tid));
    }
    return absl::OkStatus();
  }
};

absl::Status AddCost(const Meter& meter, Series* series,
                     const std::function<absl::Status()>& work) {
  ASSIGN_OR_RETURN(const double cost, meter.Cost(work));
  series->Add(cost);
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureGroup() {
  RETURN_IF_ERROR(StayOnOneCpu());
  ASSIGN_OR_RETURN(const Child threads, Sleepers(kThreads));
  ASSIGN_OR_RETURN(const UniqueFd pidfd, OpenPidfd(threads.Pid()));
  ASSIGN_OR_RETURN(const Meter meter, Meter::Create());
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
  const std::vector<pid_t> tids = ThreadsOf(threads.Pid());
  // An engine on another thread: putting the hooks in is no part of it.
  ASSIGN_OR_RETURN(const Child other, Sleepers(1));
  RETURN_IF_ERROR(session->Attach(AttachTarget::Thread(other.Pid()), 0).status());

  Ours ours;
  Ptrace peer;
  for (int i = 0; i < kRounds; ++i) {
    RETURN_IF_ERROR(AddCost(meter, &ours.whole,
                            [&] { return ours.Trace(session.get(), pidfd, threads.Pid()); }));
    RETURN_IF_ERROR(AddCost(meter, &peer.whole, [&] { return peer.Trace(tids); }));
  }
  Tell("group.attach", ours.attach.Median());
  Tell("group.events", ours.events.Median());
  Tell("group.detach", ours.detach.Median());
  Tell("group.whole", ours.whole.Median());
  Tell("group.ptrace_seize", peer.seize.Median());
  Tell("group.ptrace_stop", peer.stop.Median());
  Tell("group.ptrace_detach", peer.detach.Median());
  Tell("group.ptrace_whole", peer.whole.Median());
  return absl::OkStatus();
}

}  // namespace utrace::bench
