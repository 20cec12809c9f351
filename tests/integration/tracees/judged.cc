// SPDX-License-Identifier: Apache-2.0
// judged: its calls are judged by others than its tracer.  For each line, one line with the result:
//   call NR           the system call, with zeros for arguments
//   errno NR E        from now on seccomp makes NR fail with E
//   notify NR         from now on NR is told to a listener; its file's number
//   dispatch on|off   Syscall User Dispatch, of all code
//   dispatched NR     the call, to be dispatched: its handler makes the result 1000 + NR
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <sstream>
#include <string>

#include "tests/integration/tracees/orders.h"

namespace {

volatile char selector;

void OnDispatch(int /*signo*/, siginfo_t* info, void* context) {
  selector = PR_SYS_DISPATCH_OFF;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = 1000 + info->si_syscall;
}

long Call(long nr) {
  const long result = syscall(nr, 0, 0, 0, 0, 0, 0);
  return result < 0 ? -errno : result;
}

long Filter(unsigned nr, unsigned verdict, unsigned flags) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, verdict),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  return result < 0 ? -errno : result;
}

long Dispatch(bool on) {
  selector = PR_SYS_DISPATCH_OFF;
  const int result =
      prctl(PR_SET_SYSCALL_USER_DISPATCH, on ? PR_SYS_DISPATCH_ON : PR_SYS_DISPATCH_OFF, 0, 0,
            on ? &selector : nullptr);
  return result < 0 ? -errno : result;
}

// By hand: between the selector and the call there must be no other.
long Dispatched(long nr) {
  long result = nr;
  selector = PR_SYS_DISPATCH_ON;
  __asm__ volatile("syscall" : "+a"(result) : "D"(0), "S"(0) : "rcx", "r11", "memory");
  return result;
}

}  // namespace

int main() {
  struct sigaction action {};
  action.sa_sigaction = OnDispatch;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  return utrace::test::ObeyLines([](const std::string& order) {
    std::istringstream line(order);
    std::string verb;
    std::string word;
    long result = 0;
    unsigned nr = 0;
    unsigned error = 0;
    line >> verb;
    if (verb == "call") {
      line >> nr;
      result = Call(nr);
    } else if (verb == "errno") {
      line >> nr >> error;
      result = Filter(nr, SECCOMP_RET_ERRNO | error, 0);
    } else if (verb == "notify") {
      line >> nr;
      result = Filter(nr, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    } else if (verb == "dispatch") {
      line >> word;
      result = Dispatch(word == "on");
    } else if (verb == "dispatched") {
      line >> nr;
      result = Dispatched(nr);
    }
    return std::to_string(result);
  });
}
