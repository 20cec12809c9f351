// SPDX-License-Identifier: Apache-2.0
// What happened to a traced thread, as C++ values. An Event owns all it holds.
#ifndef UTRACE_LIBUTRACE_EVENT_H_
#define UTRACE_LIBUTRACE_EVENT_H_

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace utrace {

enum class Abi : uint16_t { kX8664 = 0, kI386 = 1, kX32 = 2 };

// Memory of the thread that an argument pointed to, copied in the kernel.
struct Payload {
  enum class Kind : uint8_t {
    kString = 1,  // without its NUL
    kBytes = 2,
    kStrings = 3,  // several strings, each with its NUL
  };
  int arg = 0;
  Kind kind = Kind::kBytes;
  bool truncated = false;  // there was more
  bool fault = false;      // could not be read; bytes is empty
  std::string bytes;
};

// A call as its thread made it.
struct SyscallArgs {
  int32_t nr = 0;  // -1: none of this ABI's
  Abi abi = Abi::kX8664;
  std::array<uint64_t, 6> args{};
  std::vector<Payload> payloads;
};

// A call that ended.
struct SyscallEvent : SyscallArgs {
  int64_t ret = 0;         // -errno on failure, also the kernel's restart codes (-512 ...)
  bool no_return = false;  // its thread died in it: ret says nothing ("= ?")
  bool resumed = false;    // a PendingEvent told of it before
};

// A call that its thread is still in. At most one per call; a SyscallEvent with `resumed` set
// follows when it ends, whatever comes between.
struct PendingEvent : SyscallArgs {};

struct ForkEvent {
  int32_t child_pid = 0;
  int32_t child_tid = 0;
  bool thread = false;    // a thread of the same process
  bool followed = false;  // traced from its first instruction
};

// A successful execve or execveat; it has no SyscallEvent.
struct ExecEvent {
  int32_t nr = 0;
  Abi abi = Abi::kX8664;
  int32_t old_tid = 0;  // differs from the head's tid when a thread other than the leader did it
  std::string filename;
  bool filename_truncated = false;
  std::vector<std::string> argv;
  bool argv_truncated = false;  // there was more, or it could not all be read
  uint32_t argc = 0;
  uint32_t envc = 0;
  bool resumed = false;
};

struct ExitEvent {
  int status = 0;      // as wait(2) has it: WIFEXITED, WTERMSIG, WCOREDUMP...
  bool group = false;  // no thread of the process is left
};

struct SignalEvent {
  int signo = 0;
  // The kernel's own kill: none of what follows is known.
  bool no_info = false;
  bool handled = false;  // a handler of the program is about to run
  // At the time of sending. It is seen only for signals that kill, and those may never be
  // delivered as such: the kernel turns them into the whole group's exit at once.
  bool sent = false;
  int32_t sender_pid = 0;  // sent only: who was running
  int32_t sender_tid = 0;
  // siginfo_t, by the kernel's layout; which of the union's fields count follows from signo and
  // code as in sigaction(2).
  int code = 0;
  int error = 0;
  int32_t pid = 0;  // kill, SIGCHLD, queue
  uint32_t uid = 0;
  int status = 0;      // SIGCHLD
  uint64_t utime = 0;  // SIGCHLD
  uint64_t stime = 0;
  uint64_t value = 0;  // sigqueue, timers
  uint64_t addr = 0;   // faults; SIGSYS: call address
  int timer_id = 0;    // SI_TIMER
  int overrun = 0;
  int64_t band = 0;  // SIGPOLL
  int fd = 0;
  int syscall = 0;  // SIGSYS
  uint32_t arch = 0;
};

// Records that did not reach us. With a tid of 0 in the head: of some thread, at some time before.
struct LostEvent {
  uint64_t count = 0;
};

// From the module's tracepoints.
struct StopEvent {
  uint32_t event = 0;  // one UTRACE_EVENT(), 0 for an asynchronous stop
  int32_t nr = -1;     // of the call it is in, -1 if in none
  Abi abi = Abi::kX8664;
};
struct ResumeEvent {
  uint32_t event = 0;  // at which it was held
};
struct DeathEvent {
  int status = 0;
};
struct ReapEvent {};
struct JobControlEvent {
  int signal = 0;  // by which it stops; 0: it goes on
};

using EventBody =
    std::variant<SyscallEvent, PendingEvent, ForkEvent, ExecEvent, ExitEvent, SignalEvent,
                 LostEvent, StopEvent, ResumeEvent, DeathEvent, ReapEvent, JobControlEvent>;

struct Event {
  uint64_t ts_ns = 0;  // CLOCK_MONOTONIC
  uint64_t seq = 0;    // of this thread
  // Whether the thread gave this event a number of its own; else seq is its latest.
  bool numbered = true;
  int32_t pid = 0;
  int32_t tid = 0;
  uint16_t cpu = 0;
  EventBody body;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_EVENT_H_
