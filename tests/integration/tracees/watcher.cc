// SPDX-License-Identifier: Apache-2.0
// watcher: looks at itself in every way in which a tracer might show, says what it saw, and ends
// with 0.  What it says is the same in each run, as far as nobody disturbs it.
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

namespace {

constexpr unsigned kTrapFlag = 0x100;

// Where nothing is, unknown to the compiler.
char* volatile nowhere = reinterpret_cast<char*>(16);

// Each line by one write: a child says nothing twice.
void Say(const char* format, ...) __attribute__((format(printf, 1, 2)));
void Say(const char* format, ...) {
  char line[256];
  va_list args;
  va_start(args, format);
  const int length = std::vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  line[length] = '\n';
  if (write(1, line, static_cast<size_t>(length) + 1) < 0) _exit(9);
}

int Error(long result) { return result < 0 ? errno : 0; }

double Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// What the last signal said, and how many there were.
volatile sig_atomic_t signals;
siginfo_t last;
volatile bool trap_flag_seen;

void OnSignal(int /*signo*/, siginfo_t* info, void* context) {
  const auto* const frame = static_cast<ucontext_t*>(context);
  trap_flag_seen = trap_flag_seen || (frame->uc_mcontext.gregs[REG_EFL] & kTrapFlag) != 0;
  last = *info;
  signals = signals + 1;
}

void Handle(int signo, int flags) {
  struct sigaction action {};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(signo, &action, nullptr);
  signals = 0;
}

// Lines of its status that are its own affair.
void Status() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* name :
         {"State:", "TracerPid:", "Threads:", "SigQ:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:",
          "SigCgt:", "CapEff:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:"}) {
      if (line.compare(0, std::strlen(name), name) != 0) continue;
      // Of SigQ the limit alone is the same.
      Say("status %s", std::strcmp(name, "SigQ:") == 0 ? name : line.c_str());
    }
  }
}

pid_t Child(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) _exit(body());
  return pid;
}

// One line for what a wait gives.
void Await(const char* of, pid_t pid, int flags) {
  siginfo_t info{};
  const long error = Error(waitid(P_PID, static_cast<id_t>(pid), &info, flags));
  Say("%s: waitid %ld code %d status %d uid %d", of, error, info.si_code, info.si_status,
      info.si_uid);
}

void Told(const char* of) {
  Say("%s: %d signals, the last %d code %d", of, static_cast<int>(signals), last.si_signo,
      last.si_code);
  signals = 0;
}

// The next SIGCHLD, and that it is the only one.
void Sigchld(const char* of) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  const timespec long_time{20, 0};
  siginfo_t info{};
  const int signo = sigtimedwait(&set, &info, &long_time);
  Say("%s: signal %d code %d status %d", of, signo, info.si_code, info.si_status);
  sigpending(&set);
  if (sigismember(&set, SIGCHLD)) Say("%s: and another", of);
}

// All that a parent is told of its child's job control and end.
void Children() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  int ends[2];
  if (pipe(ends) != 0) _exit(9);
  const pid_t stopper = Child([&] {
    char byte;
    // Else SIGTSTP would do nothing: a group whose leader's parent is of another session.
    setpgid(0, 0);
    for (const int signo : {SIGSTOP, SIGTSTP}) {
      raise(signo);
      if (read(ends[0], &byte, 1) != 1) return 9;
    }
    return 3;
  });
  for (const char* stop : {"SIGSTOP", "SIGTSTP"}) {
    const double begin = Now();
    Sigchld(stop);
    Await(stop, stopper, WSTOPPED);
    kill(stopper, SIGCONT);
    Sigchld(stop);
    Await(stop, stopper, WCONTINUED);
    Say("%s: %s", stop, Now() - begin < 5 ? "soon" : "late");
    if (write(ends[1], "x", 1) != 1) _exit(9);
  }
  Sigchld("exit");
  Await("exit", stopper, WEXITED);
  Await("after the end", stopper, WEXITED);

  for (const int signo : {SIGTERM, SIGKILL, SIGSEGV, SIGTRAP, SIGSYS}) {
    const pid_t killed = Child([=] {
      raise(signo);
      return 1;
    });
    Sigchld(strsignal(signo));
    Await(strsignal(signo), killed, WEXITED);
  }
  const pid_t vforked = vfork();
  if (vforked == 0) _exit(4);
  Sigchld("vfork");
  Await("vfork", vforked, WEXITED);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  // Whoever ignores its children's ends never has any.
  signal(SIGCHLD, SIG_IGN);
  const pid_t unwaited = Child([] { return 5; });
  Await("reaped by itself", unwaited, WEXITED);
  signal(SIGCHLD, SIG_DFL);
  close(ends[0]);
  close(ends[1]);
}

// Until it sleeps in a call: one that is held on its way there comes late, and is no sleeper yet.
void AwaitAsleep(pid_t pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
  for (char state = 0; state != 'S'; usleep(1'000)) {
    char stat[256] = {};
    const int file = open(path, O_RDONLY);
    if (file < 0 || read(file, stat, sizeof stat - 1) < 0) _exit(9);
    close(file);
    // "PID (comm) S"
    const char* const end = strrchr(stat, ')');
    state = end != nullptr ? end[2] : 0;
  }
}

// Of calls that block: which signals end them, and how.
void Interruptions() {
  int ends[2];
  char byte = 'x';
  if (pipe(ends) != 0) _exit(9);
  const pid_t parent = getpid();
  const auto soon = [&](int signo) {
    return Child([&, signo] {
      AwaitAsleep(parent);
      if (signo != 0) kill(parent, signo);
      usleep(30'000);
      AwaitAsleep(parent);
      return write(ends[1], &byte, 1) == 1 ? 0 : 1;
    });
  };
  for (const int flags : {SA_RESTART, 0}) {
    Handle(SIGUSR1, flags);
    const pid_t child = soon(SIGUSR1);
    const long first = read(ends[0], &byte, 1);
    Say("read, SA_RESTART %d: %ld error %d", flags != 0, first, Error(first));
    if (first < 0 && read(ends[0], &byte, 1) != 1) _exit(9);
    Told("read");
    waitpid(child, nullptr, 0);
  }
  const int epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
  for (const int signo : {0, SIGWINCH, SIGURG, SIGCHLD, SIGCONT, SIGUSR1}) {
    const pid_t child = soon(signo);
    const long got = epoll_wait(epoll, &event, 1, 10'000);
    Say("epoll_wait, signal %d: %ld error %d", signo, got, Error(got));
    while (read(ends[0], &byte, 1) != 1) {
    }
    waitpid(child, nullptr, 0);
  }
  const timespec moment{0, 50'000'000};
  timespec left{7, 7};
  pid_t child = soon(SIGWINCH);
  long got = nanosleep(&moment, &left);
  Say("nanosleep: %ld left %ld", got, static_cast<long>(left.tv_sec));
  int word = 0;
  got = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &moment, nullptr, 0);
  Say("futex: %ld error %d", got, Error(got));
  got = poll(nullptr, 0, 50);
  Say("poll: %ld", got);
  while (read(ends[0], &byte, 1) != 1) {
  }
  waitpid(child, nullptr, 0);
  Handle(SIGALRM, 0);
  // Again and again: one that comes before the pause does not end it, and who is held comes late.
  const itimerval timer{{0, 20'000}, {0, 20'000}};
  const itimerval none{};
  setitimer(ITIMER_REAL, &timer, nullptr);
  got = pause();
  setitimer(ITIMER_REAL, &none, nullptr);
  Say("pause: %ld error %d, told %d", got, Error(got), signals > 0);
  signals = 0;
  close(epoll);
  close(ends[0]);
  close(ends[1]);
}

sigjmp_buf after_fault;

void OnFault(int signo, siginfo_t* info, void* context) {
  const auto* const frame = static_cast<ucontext_t*>(context);
  Say("fault %d code %d address %ld trap %lld error %lld TF %d", signo, info->si_code,
      signo == SIGSEGV ? reinterpret_cast<long>(info->si_addr) : 0L,
      frame->uc_mcontext.gregs[REG_TRAPNO], frame->uc_mcontext.gregs[REG_ERR],
      (frame->uc_mcontext.gregs[REG_EFL] & kTrapFlag) != 0);
  siglongjmp(after_fault, 1);
}

void Fault(int signo) {
  struct sigaction action {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO;
  sigaction(signo, &action, nullptr);
  if (sigsetjmp(after_fault, 1) != 0) return;
  if (signo == SIGSEGV) *nowhere = 1;
  if (signo == SIGILL) __asm__ volatile("ud2");
  if (signo == SIGTRAP) __asm__ volatile("int3");
  if (signo == SIGFPE) __asm__ volatile("xorl %%edx, %%edx; divl %%edx" ::: "eax", "edx");
}

void Faults() {
  for (const int signo : {SIGSEGV, SIGILL, SIGTRAP, SIGFPE}) {
    Fault(signo);
    signal(signo, SIG_DFL);
  }
}

void Calls() {
  Say("no such call: %d", Error(syscall(9999)));
  Say("getppid twice: %d", getppid() == getppid());
  Say("bad pointer: %d", Error(write(1, nowhere, 1)));
  unsigned long flags = 0;
  __asm__ volatile("pushfq; popq %0" : "=r"(flags));
  Say("TF %d", (flags & kTrapFlag) != 0);
  // R11 and RCX, as the processor leaves them after SYSCALL.
  unsigned long r11 = 0;
  unsigned long rcx = 0;
  unsigned long result = SYS_getpid;
  __asm__ volatile(
      "lea 1f(%%rip), %%r10; syscall; 1: sub %%r10, %%rcx; mov %%r11, %0; mov %%rcx, %1"
      : "=&r"(r11), "=&r"(rcx), "+a"(result)
      :
      : "rcx", "r10", "r11", "memory");
  Say("after a call: flags %lx distance %ld", r11 & kTrapFlag, static_cast<long>(rcx));
  bool ran = false;
  std::thread([&] { ran = true; }).join();
  Say("a thread: %d", ran);
}

// Another's debugger that counts the stops of its own tracee.
void Debug() {
  const pid_t child = Child([] {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    for (int i = 0; i < 3; ++i) getppid();
    raise(SIGUSR2);
    return 6;
  });
  int status = 0;
  int calls = 0;
  int steps = 0;
  waitpid(child, &status, 0);
  Say("debugger: stopped by %d", WSTOPSIG(status));
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD);
  for (; steps < 10; ++steps) {
    ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
  }
  ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    user_regs_struct regs{};
    ptrace(PTRACE_GETREGS, child, nullptr, &regs);
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && regs.orig_rax == SYS_getppid) ++calls;
    if (WSTOPSIG(status) == SIGUSR2) Say("debugger: told of SIGUSR2");
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  }
  Say("debugger: %d steps, %d stops at getppid, status %x", steps, calls, status);
}

}  // namespace

int main(int argc, char** argv) {
  Status();
  if (argc > 1) {
    Say("exec: %s", argv[1]);
    return 0;
  }
  Calls();
  Children();
  Interruptions();
  Faults();
  Debug();
  Status();
  execl("/proc/self/exe", argv[0], "again", static_cast<char*>(nullptr));
  return 1;
}
