// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/stress/target.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/stress/board.h"
#include "tests/integration/stress/dice.h"

namespace utrace::stress {
namespace {

// Where nothing is, unknown to the compiler.
char* volatile nowhere = reinterpret_cast<char*>(16);

thread_local sigjmp_buf after_fault;
thread_local volatile sig_atomic_t fault_is_meant;

void OnFault(int signo) {
  if (fault_is_meant) siglongjmp(after_fault, 1);
  // Sent by somebody, and not met.
  if (signo == SIGSEGV) signal(signo, SIG_DFL);
}

void OnSignal(int /*signo*/) { syscall(SYS_getppid); }

void Handle(int signo, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signo, &action, nullptr);
}

void Fault(uint64_t which) {
  if (sigsetjmp(after_fault, 1) == 0) {
    fault_is_meant = 1;
    if (which == 0) {
      *nowhere = 1;
    } else if (which == 1) {
      __asm__ volatile("ud2");
    } else {
      __asm__ volatile("int3");
    }
  }
  fault_is_meant = 0;
}

void Calls(Dice* dice) {
  static constexpr long kCalls[] = {SYS_getppid, SYS_getpriority, SYS_gettid, SYS_sched_yield,
                                    9999};
  for (uint64_t i = dice->Below(20); i > 0; --i) syscall(dice->Of(kCalls), 0, 0);
}

void AwaitChild(pid_t pid) {
  while (pid > 0 && waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ForkChild(Dice* dice) {
  Dice its(dice->Bits(), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    Calls(&its);
    if (its.OneIn(4)) raise(its.OneIn(2) ? SIGTERM : SIGUSR1);
    if (its.OneIn(4)) raise(SIGSTOP);
    _exit(static_cast<int>(its.Below(4)));
  }
  AwaitChild(pid);
}

// Nothing of the parent's is touched.
void VforkChild(char* const* nothing) {
  const pid_t pid = vfork();
  if (pid == 0) {
    if (nothing != nullptr) execv("/proc/self/exe", nothing);
    _exit(3);
  }
  AwaitChild(pid);
}

void Threads(Dice* dice) {
  std::vector<std::thread> threads;
  for (uint64_t i = dice->Below(3) + 1; i > 0; --i) {
    threads.emplace_back([seed = dice->Bits()] {
      Dice its(seed, 0);
      Calls(&its);
      if (its.OneIn(3)) raise(SIGUSR1);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void Pipe() {
  int ends[2];
  char byte = 'x';
  if (pipe(ends) != 0) return;
  if (write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) != 1) abort();
  close(ends[0]);
  close(ends[1]);
}

void Map() {
  void* const map =
      mmap(nullptr, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return;
  *static_cast<volatile char*>(map) = 1;
  munmap(map, 1 << 16);
}

}  // namespace

pid_t StartTarget(int board, int index, uint64_t seed, bool quiet) {
  const std::string arguments[] = {"stress", "target", std::to_string(board), std::to_string(index),
                                   std::to_string(seed)};
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  if (quiet) dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
  execl("/proc/self/exe", arguments[0].c_str(), arguments[1].c_str(), arguments[2].c_str(),
        arguments[3].c_str(), arguments[4].c_str(), static_cast<char*>(nullptr));
  std::perror("stress: exec a target");
  _exit(1);
}

void RunTarget(int board, int index, uint64_t seed) {
  Board::Target& self = MapBoard(board)->targets[index];
  Dice dice(seed, 1000);
  // A seed that has come through an exec makes other chances.
  const std::string arguments[] = {"stress", "target", std::to_string(board), std::to_string(index),
                                   std::to_string(dice.Bits())};
  std::vector<char*> again;
  for (const std::string& argument : arguments)
    again.push_back(const_cast<char*>(argument.c_str()));
  again.push_back(nullptr);
  std::string nothing_words[] = {"stress", "nothing"};
  char* const nothing[] = {nothing_words[0].data(), nothing_words[1].data(), nullptr};

  // What was blocked or ignored before an exec is neither after it.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signo : {SIGSEGV, SIGILL, SIGTRAP}) Handle(signo, OnFault, SA_NODEFER);
  Handle(SIGUSR1, OnSignal, SA_RESTART);
  Handle(SIGUSR2, OnSignal, 0);
  Handle(SIGALRM, OnSignal, SA_RESTART);
  Handle(SIGWINCH, SIG_IGN, 0);

  for (;;) {
    self.beats.fetch_add(1, std::memory_order_relaxed);
    switch (dice.Below(24)) {
      case 0:
      case 1:
        ForkChild(&dice);
        break;
      case 2:
        VforkChild(dice.OneIn(2) ? nothing : nullptr);
        break;
      case 3:
      case 4:
        Threads(&dice);
        break;
      case 5:
        if (dice.OneIn(3)) execv("/proc/self/exe", again.data());
        break;
      case 6:
        if (dice.OneIn(4)) std::thread([&] { execv("/proc/self/exe", again.data()); }).join();
        break;
      case 7:
        raise(dice.OneIn(2) ? SIGUSR1 : SIGUSR2);
        break;
      case 8:
        Fault(dice.Below(3));
        break;
      case 9:
        if (dice.OneIn(3)) raise(dice.OneIn(2) ? SIGSTOP : SIGTSTP);
        break;
      case 10: {
        const timespec moment{0, 1'000'000};
        nanosleep(&moment, nullptr);
        break;
      }
      case 11:
        poll(nullptr, 0, 2);
        break;
      case 12:
        Pipe();
        break;
      case 13: {
        const itimerval soon{{0, 0}, {0, 500}};
        setitimer(ITIMER_REAL, &soon, nullptr);
        break;
      }
      case 14:
        Map();
        break;
      case 15:
        if (dice.OneIn(8)) _exit(5);
        break;
      default:
        Calls(&dice);
    }
  }
}

}  // namespace utrace::stress
