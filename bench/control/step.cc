// SPDX-License-Identifier: Apache-2.0
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>

#include "absl/strings/str_cat.h"
#include "bench/control/child.h"
#include "bench/control/cpu.h"
#include "bench/control/listener.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "bench/control/ticks.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/char_device.h"
#include "userspace/libutrace/engine.h"

namespace utrace::bench {
namespace {

constexpr int kRounds = 15;
constexpr int kSteps = 200;

// Two instructions a turn, and it says how many turns it has made.
[[noreturn]] void Spin(std::atomic<uint64_t>* turns) {
  asm volatile("1: incq (%0)\n\tjmp 1b" : : "r"(turns) : "memory", "cc");
  __builtin_unreachable();
}

absl::Status BySession(pid_t pid, Series* series) {
  ASSIGN_OR_RETURN(std::unique_ptr<CharDevice> device, CharDevice::Open());
  auto attach = Sized<utrace_attach>();
  attach.target = pid;
  attach.events = UTRACE_EVENT(STEP);
  RETURN_IF_ERROR(FromNegErrno(device->Attach(attach), "attach"));
  auto stop = Sized<utrace_control>();
  stop.engine = attach.engine;
  stop.tid = pid;
  stop.action = UTRACE_STOP;
  const int stopped = device->Control(stop);
  if (stopped != -EINPROGRESS) RETURN_IF_ERROR(FromNegErrno(stopped, "stop"));
  utrace_notice notice{};
  utrace_answer answer{};
  for (int i = 0; i <= kSteps; ++i) {
    const uint64_t begin = Ticks();
    auto next = Sized<utrace_next>();
    if (i > 0) {
      answer = AnswerTo(notice, UTRACE_SINGLESTEP);
      next.answer = reinterpret_cast<uintptr_t>(&answer);
    }
    next.notices = reinterpret_cast<uintptr_t>(&notice);
    next.count = 1;
    next.timeout_ms = -1;
    next.notice_size = sizeof(notice);
    RETURN_IF_ERROR(FromNegErrno(device->Next(next), "wait for a notice"));
    if (i == 0) continue;
    series->Add(static_cast<double>(Ticks() - begin));
    if (notice.event != UTRACE_EVENT(STEP))
      return absl::InternalError(absl::StrCat("held at ", notice.event, ", not at a step"));
  }
  return absl::OkStatus();
}

absl::Status WaitStopped(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, __WALL) != pid) return LastErrno("waitpid");
  if (!WIFSTOPPED(status)) return absl::InternalError("the stepped process has ended");
  return absl::OkStatus();
}

absl::Status ByPtrace(pid_t pid, Series* series) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return LastErrno("PTRACE_SEIZE");
  if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) return LastErrno("PTRACE_INTERRUPT");
  RETURN_IF_ERROR(WaitStopped(pid));
  for (int i = 0; i < kSteps; ++i) {
    const uint64_t begin = Ticks();
    if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0) return LastErrno("PTRACE_SINGLESTEP");
    RETURN_IF_ERROR(WaitStopped(pid));
    series->Add(static_cast<double>(Ticks() - begin));
  }
  if (ptrace(PTRACE_DETACH, pid, 0, 0) != 0) return LastErrno("PTRACE_DETACH");
  return absl::OkStatus();
}

// Of a process, in nanoseconds, which are instructions where ticks are.
absl::StatusOr<double> CpuTime(pid_t pid) {
  clockid_t clock = 0;
  timespec time{};
  if (const int error = clock_getcpuclockid(pid, &clock); error != 0)
    return ErrnoStatus(error, "ask for the CPU clock of the stepped process");
  if (clock_gettime(clock, &time) != 0) return LastErrno("read the CPU clock");
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// The engine in the kernel decides, and nobody else runs for it: by the CPU time of the stepped
// process, as others may get some of the CPU.
absl::Status ByKernel(Listener& listener, pid_t pid, const std::atomic<uint64_t>& turns,
                      Series* series) {
  RETURN_IF_ERROR(listener.Hear(pid, UTRACE_EVENT(STEP), /*steps=*/true));
  ASSIGN_OR_RETURN(const uint64_t before, listener.Count(UTRACE_EVENT_BIT_STEP));
  const uint64_t turns_before = turns;
  ASSIGN_OR_RETURN(const double begin, CpuTime(pid));
  usleep(20'000);
  ASSIGN_OR_RETURN(const double end, CpuTime(pid));
  ASSIGN_OR_RETURN(const uint64_t after, listener.Count(UTRACE_EVENT_BIT_STEP));
  const uint64_t instructions = 2 * (turns - turns_before);
  // It runs on between the looks.
  if (after < before + kSteps || instructions + kSteps < after - before ||
      after - before + kSteps < instructions) {
    return absl::InternalError(
        absl::StrCat(after - before, " steps for ", instructions, " instructions"));
  }
  series->Add((end - begin) / static_cast<double>(after - before));
  return listener.Leave();
}

}  // namespace

absl::Status MeasureStep() {
  RETURN_IF_ERROR(StayOnOneCpu());
  Shared turns;
  ASSIGN_OR_RETURN(const std::unique_ptr<Listener> listener, Listener::Load());
  ASSIGN_OR_RETURN(const Child tracee, Child::Run([&]() -> int { Spin(&*turns); }));
  Series session, ptraced, kernel;
  for (int i = 0; i < kRounds; ++i) {
    RETURN_IF_ERROR(BySession(tracee.Pid(), &session));
    RETURN_IF_ERROR(ByPtrace(tracee.Pid(), &ptraced));
    RETURN_IF_ERROR(ByKernel(*listener, tracee.Pid(), *turns, &kernel));
  }
  Tell("step.session", session.Median());
  Tell("step.ptrace", ptraced.Median());
  Tell("step.kernel", kernel.Median());
  return absl::OkStatus();
}

}  // namespace utrace::bench
