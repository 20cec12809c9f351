// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/interrupt_effect.h"

namespace utrace {
namespace {

// The one table of it. Sources: signal(7), "Interruption of system calls ... by stop signals" for
// those that fail although no handler runs; its lists on SA_RESTART, and the kernel's restart codes
// (ERESTARTSYS, ERESTARTNOHAND, ERESTART_RESTARTBLOCK all restart when no handler runs), for the
// others. io_getevents, sendmmsg and epoll_pwait2 are not in the page but share the code.
constexpr absl::string_view kFails[] = {
    "epoll_wait", "epoll_pwait",     "epoll_pwait2", "semop",
    "semtimedop", "rt_sigtimedwait", "io_getevents",
};

constexpr absl::string_view kMayFail[] = {
    "accept",  "accept4",  "connect", "recvfrom", "recvmsg", "recvmmsg", "sendto",
    "sendmsg", "sendmmsg", "read",    "readv",    "write",   "writev",
};

constexpr absl::string_view kRestarts[] = {
    "clock_nanosleep", "fcntl",         "flock",  "futex",    "futex_wait",
    "futex_waitv",     "getrandom",     "msgrcv", "msgsnd",   "mq_timedreceive",
    "mq_timedsend",    "nanosleep",     "open",   "openat",   "openat2",
    "pause",           "poll",          "ppoll",  "pselect6", "restart_syscall",
    "rt_sigsuspend",   "select",        "splice", "tee",      "wait4",
    "waitid",          "io_pgetevents",
};

template <size_t kSize>
bool IsIn(const absl::string_view (&list)[kSize], absl::string_view call) {
  for (const absl::string_view name : list) {
    if (name == call) return true;
  }
  return false;
}

}  // namespace

InterruptEffect EffectOfInterrupt(absl::string_view call) {
  if (IsIn(kFails, call)) return InterruptEffect::kFails;
  if (IsIn(kMayFail, call)) return InterruptEffect::kMayFail;
  if (IsIn(kRestarts, call)) return InterruptEffect::kRestarts;
  return InterruptEffect::kUnknown;
}

absl::string_view Describe(InterruptEffect effect) {
  switch (effect) {
    case InterruptEffect::kRestarts:
      return "restarts unseen by the program";
    case InterruptEffect::kFails:
      return "returns EINTR to the program";
    case InterruptEffect::kMayFail:
      return "returns EINTR if it is on a socket with a timeout, else restarts unseen";
    case InterruptEffect::kUnknown:
      return "is not in the table of signal(7): most calls restart unseen";
  }
  return "";
}

}  // namespace utrace
