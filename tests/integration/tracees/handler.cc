// SPDX-License-Identifier: Apache-2.0
// handler: takes signals as the lines on its standard input say, and answers each by one line.
//   handle SIG [restart]   a handler that notes what it is given
//   block SIG | unblock SIG | ignore SIG
//   seen                   handlers run so far, and of the last: signo, code, pid, value, address
//   word                   the address of a word that holds kWord
//   fault ADDRESS          reads there; answers when it is back
//   thread                 a thread that has nothing blocked; answers its tid
//   guest                  a thread that ends when it is told to; answers its tid
//   leave                  tells all those to end
//   group                  a process group of its own
//   child                  a child that ends at once and is not reaped
//   read FD | pause | sleep | epoll   blocks; answers the result, -errno for an error
//   take SIG               waits for one that is blocked; answers its number
//   exec                   itself: it says "ready" again
//   doom                   has the kernel end it for a system call it may not make
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <iomanip>
#include <sstream>
#include <string>
#include <thread>

#include "tests/integration/tracees/orders.h"

namespace {

constexpr long kWord = 0x7574726163650a;
const volatile long word = kWord;

std::atomic<int> runs{0};
siginfo_t last;
sigjmp_buf back;
std::atomic<bool> in_fault{false};

void Note(int /*signo*/, siginfo_t* info, void* /*context*/) {
  last = *info;
  ++runs;
  if (in_fault && info->si_code > 0) siglongjmp(back, 1);
}

void Handle(int signo, bool restart) {
  struct sigaction action {};
  action.sa_sigaction = Note;
  action.sa_flags = SA_SIGINFO | (restart ? SA_RESTART : 0);
  sigaction(signo, &action, nullptr);
}

void Mask(int how, int signo) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  pthread_sigmask(how, &set, nullptr);
}

long Take(int signo) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  return sigwaitinfo(&set, nullptr);
}

void Fault(uintptr_t address) {
  if (sigsetjmp(back, 1) == 0) {
    in_fault = true;
    const auto* bad = reinterpret_cast<const volatile char*>(address);
    static_cast<void>(*bad);
  }
  in_fault = false;
}

long Thread() {
  std::atomic<long> tid{0};
  std::thread([&tid] {
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
    tid = syscall(SYS_gettid);
    for (;;) pause();
  }).detach();
  while (tid == 0) usleep(1000);
  return tid;
}

std::atomic<bool> leave{false};

long Guest() {
  std::atomic<long> tid{0};
  std::thread([&tid] {
    tid = syscall(SYS_gettid);
    while (!leave) usleep(1000);
  }).detach();
  while (tid == 0) usleep(1000);
  return tid;
}

long Child() {
  const pid_t pid = fork();
  if (pid == 0) _exit(7);
  return pid;
}

long Blocking(const std::string& verb, int fd) {
  long result = 0;
  char byte;
  epoll_event event;
  if (verb == "read") {
    // Not by the call that takes orders.
    const iovec buffer{&byte, 1};
    result = readv(fd, &buffer, 1);
  } else if (verb == "epoll") {
    result = epoll_wait(epoll_create1(0), &event, 1, -1);
  } else if (verb == "pause") {
    result = pause();
  } else {
    timespec forever{100'000, 0};
    result = syscall(SYS_nanosleep, &forever, nullptr);
  }
  return result < 0 ? -errno : result;
}

long Doom() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof(code) / sizeof(code[0]), code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  return syscall(SYS_getppid);
}

std::string Seen() {
  std::ostringstream text;
  text << runs << " " << last.si_signo << " " << last.si_code << " ";
  if (last.si_code > 0 && last.si_code != SI_KERNEL && last.si_signo == SIGSEGV) {
    text << "0 0 " << last.si_addr;
  } else {
    text << last.si_pid << " " << last.si_value.sival_int << " 0";
  }
  return text.str();
}

}  // namespace

int main() {
  return utrace::test::ObeyLines([](const std::string& order) {
    std::istringstream line(order);
    std::string verb;
    std::string how;
    long number = 0;
    line >> verb >> std::setbase(0) >> number >> how;
    const int signo = static_cast<int>(number);
    std::string answer = "0";
    if (verb == "handle") {
      Handle(signo, how == "restart");
    } else if (verb == "block") {
      Mask(SIG_BLOCK, signo);
    } else if (verb == "unblock") {
      Mask(SIG_UNBLOCK, signo);
    } else if (verb == "ignore") {
      std::signal(signo, SIG_IGN);
    } else if (verb == "seen") {
      answer = Seen();
    } else if (verb == "word") {
      answer = std::to_string(reinterpret_cast<uintptr_t>(&word));
    } else if (verb == "fault") {
      Fault(static_cast<uintptr_t>(number));
    } else if (verb == "thread") {
      answer = std::to_string(Thread());
    } else if (verb == "guest") {
      answer = std::to_string(Guest());
    } else if (verb == "group") {
      answer = std::to_string(setpgid(0, 0));
    } else if (verb == "leave") {
      leave = true;
    } else if (verb == "child") {
      answer = std::to_string(Child());
    } else if (verb == "take") {
      answer = std::to_string(Take(signo));
    } else if (verb == "exec") {
      execl("/proc/self/exe", "handler", static_cast<char*>(nullptr));
      answer = std::to_string(-errno);
    } else if (verb == "doom") {
      answer = std::to_string(Doom());
    } else {
      answer = std::to_string(Blocking(verb, signo));
    }
    return answer;
  });
}
