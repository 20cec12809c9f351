// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "bench/control/caller.h"
#include "bench/control/child.h"
#include "bench/control/cpu.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/session.h"

namespace utrace::bench {
namespace {

// Engines on it, each of which is asked in the kernel at each call and lets it go; or that hear of
// none.
absl::StatusOr<std::unique_ptr<Session>> WithEngines(pid_t pid, int count, bool hear) {
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
  for (int i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(Engine engine, session->Attach(AttachTarget::Thread(pid), 0));
    RETURN_IF_ERROR(engine.SetSyscalls({SYS_reboot}));
    if (hear) RETURN_IF_ERROR(engine.SetEvents(UTRACE_EVENT(SYSCALL_ENTRY)));
  }
  return session;
}

}  // namespace

absl::Status MeasureEngines() {
  RETURN_IF_ERROR(StayOnOneCpu());
  ASSIGN_OR_RETURN(const std::unique_ptr<Caller> caller, Caller::Start());
  ASSIGN_OR_RETURN(const double bare, caller->Cost());
  Tell("engines.none", bare);
  for (const int count : {1, 10, 100}) {
    ASSIGN_OR_RETURN(const auto session, WithEngines(caller->Pid(), count, /*hear=*/true));
    ASSIGN_OR_RETURN(const double cost, caller->Cost());
    Tell(absl::StrCat("engines.hear_", count).c_str(), cost);
  }
  for (const int count : {1, 10, 100}) {
    ASSIGN_OR_RETURN(const auto hears, WithEngines(caller->Pid(), 1, /*hear=*/true));
    ASSIGN_OR_RETURN(const auto session, WithEngines(caller->Pid(), count, /*hear=*/false));
    ASSIGN_OR_RETURN(const double cost, caller->Cost());
    Tell(absl::StrCat("engines.deaf_", count).c_str(), cost);
  }
  for (const int threads : {10, 1000, 10000}) {
    ASSIGN_OR_RETURN(const auto hears, WithEngines(caller->Pid(), 1, /*hear=*/true));
    ASSIGN_OR_RETURN(const Child sleepers, Sleepers(threads));
    ASSIGN_OR_RETURN(const UniqueFd pidfd, OpenPidfd(sleepers.Pid()));
    ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Open());
    RETURN_IF_ERROR(
        session->Attach(AttachTarget::Process(pidfd, sleepers.Pid()), UTRACE_EVENT(SYSCALL_ENTRY))
            .status());
    ASSIGN_OR_RETURN(const double cost, caller->Cost());
    Tell(absl::StrCat("engines.elsewhere_", threads).c_str(), cost);
  }
  return absl::OkStatus();
}

}  // namespace utrace::bench
