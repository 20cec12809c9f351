// SPDX-License-Identifier: Apache-2.0
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "bench/control/child.h"
#include "bench/control/cpu.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "bench/control/ticks.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/char_device.h"
#include "userspace/libutrace/session.h"

namespace utrace::bench {
namespace {

constexpr int kRounds = 15;
constexpr int kTrips = 200;

// Number and arguments are read, as who decides by them would.
template <typename Call>
absl::Status Look(const Call& call) {
  volatile uint64_t sum = 0;
  for (const auto argument : call.args) sum = sum + argument;
  if (call.nr == SYS_getpid) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("stopped at system call ", call.nr, ", not at getpid"));
}

absl::Status CheckHeld(const utrace_notice& notice) {
  if (notice.type == UTRACE_NOTICE_HELD && notice.event == UTRACE_EVENT(SYSCALL_ENTRY)) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("notice of type ", notice.type));
}

// By the device's own calls.
absl::Status ByDevice(pid_t pid, Series* series) {
  ASSIGN_OR_RETURN(std::unique_ptr<CharDevice> device, CharDevice::Open());
  auto attach = Sized<utrace_attach>();
  attach.target = pid;
  attach.events = UTRACE_EVENT(SYSCALL_ENTRY);
  RETURN_IF_ERROR(FromNegErrno(device->Attach(attach), "attach"));
  utrace_notice notice{};
  utrace_answer answer{};
  for (int i = 0; i <= kTrips; ++i) {
    const uint64_t begin = Ticks();
    auto next = Sized<utrace_next>();
    if (i > 0) {
      answer = AnswerTo(notice);
      next.answer = reinterpret_cast<uintptr_t>(&answer);
    }
    next.notices = reinterpret_cast<uintptr_t>(&notice);
    next.count = 1;
    next.timeout_ms = -1;
    next.notice_size = sizeof(notice);
    RETURN_IF_ERROR(FromNegErrno(device->Next(next), "wait for a notice"));
    RETURN_IF_ERROR(Look(notice));
    if (i > 0) series->Add(static_cast<double>(Ticks() - begin));
    RETURN_IF_ERROR(CheckHeld(notice));
  }
  return absl::OkStatus();
}

// By libutrace's session.
absl::Status ByLibrary(pid_t pid, Series* series) {
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
  RETURN_IF_ERROR(session->Attach(AttachTarget::Thread(pid), UTRACE_EVENT(SYSCALL_ENTRY)).status());
  utrace_answer answer{};
  for (int i = 0; i <= kTrips; ++i) {
    const uint64_t begin = Ticks();
    ASSIGN_OR_RETURN(const std::vector<utrace_notice> notices,
                     session->Next(i > 0 ? &answer : nullptr, absl::InfiniteDuration()));
    RETURN_IF_ERROR(Look(notices.at(0)));
    answer = AnswerTo(notices[0]);
    if (i > 0) series->Add(static_cast<double>(Ticks() - begin));
    RETURN_IF_ERROR(CheckHeld(notices[0]));
  }
  return absl::OkStatus();
}

// A process that we trace by ptrace.
class Ptraced {
 public:
  explicit Ptraced(pid_t pid) : pid_(pid) {}

  // And stop it, at whatever it does.
  absl::Status Seize() {
    if (ptrace(PTRACE_SEIZE, pid_, 0, PTRACE_O_TRACESYSGOOD) != 0) return LastErrno("PTRACE_SEIZE");
    if (ptrace(PTRACE_INTERRUPT, pid_, 0, 0) != 0) return LastErrno("PTRACE_INTERRUPT");
    return Wait();
  }

  // Lets it run by @request to its next stop, and asks what that is.
  absl::Status Resume(__ptrace_request request, __ptrace_syscall_info* info) {
    if (ptrace(request, pid_, 0, 0) != 0) return LastErrno("resume by ptrace");
    RETURN_IF_ERROR(Wait());
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof(*info), info) <= 0) {
      return LastErrno("PTRACE_GET_SYSCALL_INFO");
    }
    return absl::OkStatus();
  }

  absl::Status Detach() {
    if (ptrace(PTRACE_DETACH, pid_, 0, 0) != 0) return LastErrno("PTRACE_DETACH");
    return absl::OkStatus();
  }

 private:
  absl::Status Wait() {
    int status = 0;
    if (waitpid(pid_, &status, __WALL) != pid_) return LastErrno("waitpid");
    if (!WIFSTOPPED(status)) return absl::InternalError("the traced process has ended");
    return absl::OkStatus();
  }

  pid_t pid_;
};

// One round trip from a stop to the next entry stop.  The way there leads through the end of the
// call before: by PTRACE_SYSCALL there is a stop, and the round trip counted is the one that begins
// there; by PTRACE_SYSEMU the call is skipped and there is none.
absl::Status ByPtrace(pid_t pid, __ptrace_request request, Series* series) {
  Ptraced tracee(pid);
  RETURN_IF_ERROR(tracee.Seize());
  __ptrace_syscall_info info{};
  for (int i = 0; i <= kTrips;) {
    const uint64_t begin = Ticks();
    RETURN_IF_ERROR(tracee.Resume(request, &info));
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
    RETURN_IF_ERROR(Look(info.entry));
    if (i++ > 0) series->Add(static_cast<double>(Ticks() - begin));
  }
  return tracee.Detach();
}

}  // namespace

absl::Status MeasureRoundTrip() {
  RETURN_IF_ERROR(StayOnOneCpu());
  ASSIGN_OR_RETURN(const Child tracee, Child::Run([]() -> int { CallForEver(); }));
  Series device, library, syscall, sysemu;
  for (int i = 0; i < kRounds; ++i) {
    RETURN_IF_ERROR(ByDevice(tracee.Pid(), &device));
    RETURN_IF_ERROR(ByPtrace(tracee.Pid(), PTRACE_SYSCALL, &syscall));
    RETURN_IF_ERROR(ByLibrary(tracee.Pid(), &library));
    RETURN_IF_ERROR(ByPtrace(tracee.Pid(), PTRACE_SYSEMU, &sysemu));
  }
  Tell("round_trip.device", device.Median());
  Tell("round_trip.library", library.Median());
  Tell("round_trip.ptrace_syscall", syscall.Median());
  Tell("round_trip.ptrace_sysemu", sysemu.Median());
  return absl::OkStatus();
}

}  // namespace utrace::bench
