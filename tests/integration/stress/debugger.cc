// SPDX-License-Identifier: Apache-2.0
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/integration/stress/dice.h"
#include "tests/integration/stress/tracer.h"

namespace utrace::stress {
namespace {

constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE |
                          PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;

// Lets @tid go on from a stop of @status, as a debugger would.
void GoOn(Dice* dice, pid_t tid, int status) {
  static constexpr __ptrace_request kWays[] = {PTRACE_CONT, PTRACE_CONT, PTRACE_SYSCALL,
                                               PTRACE_SINGLESTEP};
  const int signo = WSTOPSIG(status);
  const int event = status >> 16;
  if (event == PTRACE_EVENT_STOP && signo != SIGTRAP) {
    ptrace(PTRACE_LISTEN, tid, nullptr, nullptr);
    return;
  }
  const bool deliver = event == 0 && (signo & 0x80) == 0;
  ptrace(dice->Of(kWays), tid, nullptr, static_cast<long>(deliver ? signo : 0));
}

}  // namespace

int RunDebugger(Board* board, uint64_t seed) {
  Dice dice(seed, 2);
  for (uint64_t times = 1 + dice.Below(4); times > 0; --times) {
    const pid_t target = dice.Of(board->targets).pid;
    if (target <= 0 || ptrace(PTRACE_SEIZE, target, nullptr, kOptions) != 0) {
      usleep(2000);
      continue;
    }
    ptrace(PTRACE_INTERRUPT, target, nullptr, nullptr);
    for (uint64_t stops = dice.Below(100); stops > 0; --stops) {
      int status = 0;
      const pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
      if (tid > 0 && WIFSTOPPED(status))
        GoOn(&dice, tid, status);
      else
        usleep(500);
      if (dice.OneIn(20)) ptrace(PTRACE_INTERRUPT, target, nullptr, nullptr);
    }
    // Those that it cannot detach from, running, it leaves by its end.
    ptrace(PTRACE_DETACH, target, nullptr, nullptr);
  }
  return 0;
}

}  // namespace utrace::stress
