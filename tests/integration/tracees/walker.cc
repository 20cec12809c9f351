// SPDX-License-Identifier: Apache-2.0
// walker: walks through instructions whose addresses it tells.  By the lines on its standard input,
// each answered by one line.
//   places                 where the instructions are, from the end of the mark's call on; in hex
//   walk                   calls getppid(), the mark, and walks; answers what it then sees of the
//                          trap flag: pushed, and left behind by a call
//   fast                   the same with the trap flag set by itself; answers the traps it saw
//   flags                  of its signal frames: how many had the trap flag; and how many there
//   were handle SIG             takes it; answers where its handler begins ignore SIG | block SIG
//   ways SIG               is it handled, is it blocked, as the program sees it
//   child                  forks right behind the mark; answers what becomes of the child
//   read                   reads from its standard input behind the mark; answers how much
//   exec                   itself, behind the mark: it says "ready" again
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>

#include "tests/integration/tracees/orders.h"

// Pushed flags in rbx, those of a call in r12.
extern "C" void Walk(unsigned long* seen);

asm(R"(
        .text
        .globl  Walk
        .type   Walk, @function
Walk:
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        movq    %rdi, %r13
        movl    $110, %eax
        syscall
walk_0: nop
walk_1: pushfq
walk_2: popq    %rbx
walk_3: pushq   %rbx
walk_4: popfq
walk_5: movl    $39, %eax
walk_6: syscall
walk_7: movq    %r11, %r12
walk_8: nop
walk_9: movq    %rbx, (%r13)
        movq    %r12, 8(%r13)
        popq    %r13
        popq    %r12
        popq    %rbx
        ret
        .size   Walk, . - Walk
        .globl  Fast
        .type   Fast, @function
Fast:
        pushfq
        orq     $0x100, (%rsp)
        popfq
        nop
        nop
        pushfq
        andq    $~0x100, (%rsp)
        popfq
        ret
        .size   Fast, . - Fast
        .section .data.rel.ro, "aw"
        .globl  walk_table
        .balign 8
walk_table:
        .quad walk_0, walk_1, walk_2, walk_3, walk_4, walk_5, walk_6, walk_7, walk_8, walk_9
        .text
)");

extern "C" void Fast();
extern "C" const unsigned long walk_table[10];

namespace {

constexpr unsigned long kTrapFlag = 0x100;

std::atomic<int> frames{0};
std::atomic<int> traps{0};
std::atomic<int> flagged{0};

void Note(int signo, siginfo_t* /*info*/, void* context) {
  const auto* frame = static_cast<const ucontext_t*>(context);
  ++frames;
  if (signo == SIGTRAP) ++traps;
  if (static_cast<unsigned long>(frame->uc_mcontext.gregs[REG_EFL]) & kTrapFlag) ++flagged;
}

void Handle(int signo) {
  struct sigaction action {};
  action.sa_sigaction = Note;
  action.sa_flags = SA_SIGINFO;
  sigaction(signo, &action, nullptr);
}

void Block(int signo) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::string Ways(int signo) {
  struct sigaction action {};
  sigset_t set;
  sigaction(signo, nullptr, &action);
  pthread_sigmask(SIG_SETMASK, nullptr, &set);
  const char* how = action.sa_handler == SIG_IGN   ? "ignored"
                    : action.sa_handler == SIG_DFL ? "default"
                                                   : "handled";
  return std::string(how) + (sigismember(&set, signo) == 1 ? " blocked" : " open");
}

void Mark() { syscall(SYS_getppid); }

// As waitpid() gives it.
int Child() {
  Mark();
  const pid_t pid = static_cast<pid_t>(syscall(SYS_fork));
  if (pid == 0) _exit(7);
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

long ReadByte() {
  char byte;
  Mark();
  return syscall(SYS_read, 0, &byte, 1);
}

std::string Do(const std::string& verb, int signo) {
  std::ostringstream answer;
  unsigned long seen[2] = {};
  if (verb == "places") {
    for (const unsigned long place : walk_table) answer << std::hex << place << " ";
  } else if (verb == "walk") {
    Walk(seen);
    answer << (seen[0] & kTrapFlag) << " " << (seen[1] & kTrapFlag);
  } else if (verb == "fast") {
    Mark();
    Fast();
    answer << traps;
  } else if (verb == "flags") {
    answer << flagged << " " << frames;
  } else if (verb == "handle") {
    Handle(signo);
    answer << std::hex << reinterpret_cast<unsigned long>(&Note);
  } else if (verb == "ignore") {
    std::signal(signo, SIG_IGN);
    answer << 0;
  } else if (verb == "block") {
    Block(signo);
    answer << 0;
  } else if (verb == "ways") {
    answer << Ways(signo);
  } else if (verb == "child") {
    answer << Child();
  } else if (verb == "read") {
    answer << ReadByte();
  } else if (verb == "exec") {
    Mark();
    execl("/proc/self/exe", "walker", static_cast<char*>(nullptr));
    answer << -errno;
  } else {
    answer << "?";
  }
  return answer.str();
}

}  // namespace

int main() {
  return utrace::test::ObeyLines([](const std::string& order) {
    std::istringstream line(order);
    std::string verb;
    int signo = 0;
    line >> verb >> signo;
    return Do(verb, signo);
  });
}
