// SPDX-License-Identifier: Apache-2.0
#include "bench/control/cpu.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <utility>

#include "absl/time/clock.h"
#include "bench/control/ticks.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace::bench {
namespace {

// What is put off, such as freeing by RCU, is done within it.
constexpr absl::Duration kAftermath = absl::Milliseconds(300);

void Schedule(int policy, int priority) {
  sched_param param{};
  param.sched_priority = priority;
  sched_setscheduler(0, policy, &param);
}

double Nanoseconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

}  // namespace

absl::Status StayOnOneCpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) return LastErrno("stay on CPU 0");
  return absl::OkStatus();
}

Ahead::Ahead() { Schedule(SCHED_FIFO, 50); }

Ahead::~Ahead() { Schedule(SCHED_OTHER, 0); }

absl::StatusOr<Meter> Meter::Create() {
  ASSIGN_OR_RETURN(Child idler, Child::Run([]() -> int {
                     Schedule(SCHED_IDLE, 0);
                     for (;;) asm volatile("");
                   }));
  clockid_t clock;
  if (const int error = clock_getcpuclockid(idler.Pid(), &clock); error != 0) {
    return ErrnoStatus(error, "find the CPU clock of a child");
  }
  return Meter(std::move(idler), clock);
}

absl::StatusOr<double> Meter::Busy(const std::function<absl::Status()>& work) const {
  const double idle = Nanoseconds(clock_);
  const double begin = Nanoseconds(CLOCK_MONOTONIC);
  RETURN_IF_ERROR(work());
  absl::SleepFor(kAftermath);
  const double took = Nanoseconds(CLOCK_MONOTONIC) - begin;
  return took - (Nanoseconds(clock_) - idle);
}

absl::StatusOr<double> Meter::Cost(const std::function<absl::Status()>& work) const {
  ASSIGN_OR_RETURN(const double nothing, Busy([] { return absl::OkStatus(); }));
  ASSIGN_OR_RETURN(const double cost, Busy(work));
  return cost - nothing;
}

}  // namespace utrace::bench
