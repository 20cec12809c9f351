// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <memory>

#include "absl/time/clock.h"
#include "bench/control/child.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/session.h"

namespace utrace::bench {
namespace {

constexpr int kRounds = 5;

double Seconds() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

absl::Status WaitForIdle(Session* session) {
  const absl::Time end = absl::Now() + absl::Minutes(1);
  for (;;) {
    ASSIGN_OR_RETURN(const utrace_features features, session->Features());
    if (features.hooks == 0) return absl::OkStatus();
    if (absl::Now() > end) return absl::DeadlineExceededError("the hooks do not leave");
    absl::SleepFor(absl::Milliseconds(5));
  }
}

}  // namespace

// An open session may own engines, and so is a user of the hooks itself: they are put in when it is
// opened, and may leave when it is closed.
absl::Status MeasureFirstAttach() {
  ASSIGN_OR_RETURN(const Child target, Sleepers(1));
  ASSIGN_OR_RETURN(std::unique_ptr<Session> looker, Session::OpenToLook());
  Series first, next, detach, last, quiet;
  for (int i = 0; i < kRounds; ++i) {
    RETURN_IF_ERROR(WaitForIdle(looker.get()));
    const double begin = Seconds();
    ASSIGN_OR_RETURN(std::unique_ptr<Session> one, Session::Open());
    RETURN_IF_ERROR(one->Attach(AttachTarget::Thread(target.Pid()), 0).status());
    const double attached = Seconds();
    ASSIGN_OR_RETURN(std::unique_ptr<Session> other, Session::Open());
    RETURN_IF_ERROR(other->Attach(AttachTarget::Thread(target.Pid()), 0).status());
    const double both = Seconds();
    // Each detaches its engine.
    other.reset();
    const double left = Seconds();
    one.reset();
    const double alone = Seconds();
    RETURN_IF_ERROR(WaitForIdle(looker.get()));
    first.Add(attached - begin);
    next.Add(both - attached);
    detach.Add(left - both);
    last.Add(alone - left);
    quiet.Add(Seconds() - alone);
  }
  Tell("first_attach.first", first.Median());
  Tell("first_attach.next", next.Median());
  Tell("first_attach.detach", detach.Median());
  Tell("first_attach.last_detach", last.Median());
  Tell("first_attach.hooks_leave", quiet.Median());
  return absl::OkStatus();
}

}  // namespace utrace::bench
