// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/str_cat.h"
#include "bench/control/child.h"
#include "bench/control/cpu.h"
#include "bench/control/listener.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "bench/control/ticks.h"
#include "include/uapi/utrace.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace::bench {
namespace {

constexpr int kRounds = 15;
constexpr int kTrips = 200;

void Ignore(int /*signo*/) {}

// Sent to itself, handled, and back.
void DeliverSignals(Series* series) {
  const pid_t pid = getpid();
  const auto tid = static_cast<pid_t>(syscall(SYS_gettid));
  for (int i = 0; i < kTrips; ++i) {
    const uint64_t begin = Ticks();
    syscall(SYS_tgkill, pid, tid, SIGUSR1);
    series->Add(static_cast<double>(Ticks() - begin));
  }
}

absl::Status WaitFor(pid_t pid, int option) {
  int status = 0;
  if (waitpid(pid, &status, option) != pid) return LastErrno("waitpid");
  if (WIFSTOPPED(status) || WIFCONTINUED(status)) return absl::OkStatus();
  return absl::InternalError("the process that was to stop has ended");
}

// The other process stops and goes on, each as its parent is told.
absl::Status StopAndContinue(pid_t pid, Series* series) {
  for (int i = 0; i < kTrips; ++i) {
    const uint64_t begin = Ticks();
    kill(pid, SIGSTOP);
    RETURN_IF_ERROR(WaitFor(pid, WUNTRACED));
    kill(pid, SIGCONT);
    RETURN_IF_ERROR(WaitFor(pid, WCONTINUED));
    // Until it runs, which has it tell that it goes on.
    sched_yield();
    series->Add(static_cast<double>(Ticks() - begin));
  }
  return absl::OkStatus();
}

absl::Status Heard(const Listener& listener, uint32_t bit, uint64_t at_least) {
  ASSIGN_OR_RETURN(const uint64_t count, listener.Count(bit));
  if (count >= at_least) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("heard ", count, " events of number ", bit, " of ", at_least));
}

}  // namespace

absl::Status MeasureReported() {
  RETURN_IF_ERROR(StayOnOneCpu());
  ASSIGN_OR_RETURN(const std::unique_ptr<Listener> listener, Listener::Load());
  ASSIGN_OR_RETURN(const Child other, Child::Run([]() -> int {
                     for (;;) sched_yield();
                   }));
  std::signal(SIGUSR1, Ignore);
  const auto tid = static_cast<pid_t>(syscall(SYS_gettid));
  Series bare, reported, stops, reported_stops;
  for (int i = 0; i < kRounds; ++i) {
    DeliverSignals(&bare);
    RETURN_IF_ERROR(StopAndContinue(other.Pid(), &stops));
    RETURN_IF_ERROR(listener->Hear(tid, UTRACE_EVENT(SIGNAL)));
    DeliverSignals(&reported);
    RETURN_IF_ERROR(Heard(*listener, UTRACE_EVENT_BIT_SIGNAL, kTrips));
    RETURN_IF_ERROR(listener->Hear(other.Pid(), UTRACE_EVENT(JCTL)));
    RETURN_IF_ERROR(StopAndContinue(other.Pid(), &reported_stops));
    // That it stops, and that it goes on.
    RETURN_IF_ERROR(Heard(*listener, UTRACE_EVENT_BIT_JCTL, 2 * kTrips));
    RETURN_IF_ERROR(listener->Leave());
  }
  Tell("reported.signal_bare", bare.Median());
  Tell("reported.signal", reported.Median());
  Tell("reported.stop_bare", stops.Median());
  Tell("reported.stop", reported_stops.Median());
  return absl::OkStatus();
}

}  // namespace utrace::bench
