// SPDX-License-Identifier: Apache-2.0
// sampler: one of each kind of call, signal, birth and end, the same ones in the same order in each
// thread whenever it runs. No thread waits for another by a call whose outcome hangs on who was
// first: what must wait spins in user mode, or blocks in a call that ends the same way either way.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstring>

namespace {

constexpr int kOver = 5;

void Nothing(int) {}

void Handle(int signo, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(signo, &action, nullptr);
}

void Block(int signo, int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  sigprocmask(how, &set, nullptr);
}

// A child, and what became of it.
template <typename Body>
void Child(Body body) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(7);
  }
  waitpid(pid, nullptr, 0);
}

template <typename Body>
struct Start {
  Body body;
  std::atomic<bool> may_run = false;
};

template <typename Body>
void* RunBody(void* argument) {
  auto* start = static_cast<Start<Body>*>(argument);
  while (!start->may_run) {
  }
  start->body();
  return nullptr;
}

// Runs once its creator has come out of creating it, whose calls it could else cut short. Its end
// shows in memory, which is looked at without a call.
template <typename Body>
void Thread(Body body) {
  Start<Body> start{body};
  pthread_t thread;
  if (pthread_create(&thread, nullptr, RunBody<Body>, &start) != 0) _exit(99);
  start.may_run = true;
  while (pthread_tryjoin_np(thread, nullptr) != 0) {
  }
}

void Files() {
  char bytes[100] = {};
  int ends[2];
  struct stat status;
  openat(AT_FDCWD, "/no/such/file", O_RDONLY | O_CLOEXEC);
  syscall(SYS_openat, AT_FDCWD, 8, O_RDONLY);
  const int file = open("/etc/hostname", O_RDONLY);
  fstat(file, &status);
  (void)!read(file, bytes, sizeof(bytes));
  syscall(SYS_read, file, 8, sizeof(bytes));
  close(file);
  const int null = open("/dev/null", O_WRONLY);
  memset(bytes, 'x', sizeof(bytes));
  (void)!write(null, bytes, sizeof(bytes));
  close(null);
  if (pipe2(ends, O_CLOEXEC) != 0) _exit(99);
  (void)!write(ends[1], "\xff\x01", 2);
  pollfd ready{ends[0], POLLIN, 0};
  poll(&ready, 1, 0);
  ioctl(ends[0], TIOCGWINSZ, bytes);
  (void)!read(ends[0], bytes, sizeof(bytes));
  close(ends[0]);
  Handle(SIGPIPE, SIG_IGN);
  (void)!write(ends[1], "y", 1);
  close(ends[1]);
  (void)!getcwd(bytes, sizeof(bytes));
  syscall(1000, 1, 2, 3, 4, 5, 6);
}

void Signals() {
  Handle(SIGUSR1, Nothing);
  kill(getpid(), SIGUSR1);
  sigqueue(getpid(), SIGUSR1, sigval{42});
  Handle(SIGUSR2, SIG_IGN);
  kill(getpid(), SIGUSR2);
  // It may come before or in the wait: the wait ends with it.
  Handle(SIGALRM, Nothing);
  Block(SIGALRM, SIG_BLOCK);
  const itimerval soon{{0, 0}, {0, 10'000}};
  setitimer(ITIMER_REAL, &soon, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigsuspend(&none);
  setitimer(ITIMER_REAL, &soon, nullptr);
  ppoll(nullptr, 0, nullptr, &none);
  Block(SIGALRM, SIG_UNBLOCK);
}

void Births() {
  Child([] { getppid(); });
  // Told when it is let in, not when the child dies.
  Handle(SIGCHLD, Nothing);
  Block(SIGCHLD, SIG_BLOCK);
  Child([] {});
  Block(SIGCHLD, SIG_UNBLOCK);
  Handle(SIGCHLD, SIG_DFL);

  char* const over[] = {const_cast<char*>("sampler"), const_cast<char*>("over"), nullptr};
  char* const none[] = {nullptr};
  const pid_t pid = vfork();
  if (pid == 0) {
    execve("/no/such/program", over, none);
    execve("/proc/self/exe", over, none);
    _exit(99);
  }
  waitpid(pid, nullptr, 0);
  Child([&] { Thread([&] { execve("/proc/self/exe", over, none); }); });
  Child([] { syscall(SYS_execve, 8, 8, 8); });
}

void Threads() {
  Thread([] {
    getppid();
    openat(AT_FDCWD, "/no/such/file", O_RDONLY);
  });
  Thread([] { syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1); });
  // Ends while another of its threads is in user mode.
  Child([] {
    std::atomic<bool> there = false;
    const auto spin = [&there] {
      getppid();
      there = true;
      for (;;) {
      }
    };
    Start<decltype(spin)> start{spin, true};
    pthread_t thread;
    if (pthread_create(&thread, nullptr, RunBody<decltype(spin)>, &start) != 0) _exit(99);
    while (!there) {
    }
    _exit(3);
  });
}

void Refuse(long nr, unsigned verdict) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(nr), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, verdict),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

void Ends() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  Child([] { kill(getpid(), SIGKILL); });
  Child([] { kill(getpid(), SIGTERM); });
  Child([] { asm volatile("movb $1, 8" : : : "memory"); });
  Child([] {
    Handle(SIGSYS, Nothing);
    Refuse(SYS_getuid, SECCOMP_RET_ERRNO | 18);
    getuid();
    Refuse(SYS_getgid, SECCOMP_RET_TRAP);
    getgid();
    Refuse(SYS_geteuid, SECCOMP_RET_KILL_PROCESS);
    geteuid();
  });
  Child([] {
    Thread([] {
      Refuse(SYS_getuid, SECCOMP_RET_KILL_THREAD);
      getuid();
    });
  });
  // Stopped and continued: the parent waits for the first and says the second.
  const pid_t pid = fork();
  if (pid == 0) {
    kill(getpid(), SIGSTOP);
    _exit(7);
  }
  waitpid(pid, nullptr, WUNTRACED);
  kill(pid, SIGCONT);
  waitpid(pid, nullptr, 0);
  // By the gate of 32-bit programs; where the kernel has none, the end of this child.
  Child([] {
    constexpr long kGetuid32 = 199;
    long result = kGetuid32;
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  });
}

}  // namespace

int main(int argc, char**) {
  if (argc > 1) return kOver;
  Files();
  Signals();
  Births();
  Threads();
  Ends();
  return kOver;
}
