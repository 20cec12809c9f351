// SPDX-License-Identifier: Apache-2.0
// caller MODE [N]: is in the middle of calls of known names: sample_outer calls sample_middle calls
// sample_inner, which after "ready" does as MODE says:
//   sleep      waits for a line, and ends; with "interrupted" if a signal or the like broke its
//   wait threads    the same, while three threads named "worker" wait in sample_worker spin counts
//   deep       calls itself N times more, then sleeps
//   handler    sleeps in sample_handler, of a signal that came in the middle of sample_inner
//   null       calls a function that is not there
//   jit        sleeps in a function made at run time, which /tmp/perf-PID.map names
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

std::string mode;
int depth;
volatile unsigned long turns;

// With a frame of its own: no call of it is its caller's last instruction.
#define SAMPLE extern "C" __attribute__((noinline, noipa, used)) void
#define KEEP_FRAME() asm volatile("" ::: "memory")

void Ready() {
  std::puts("ready");
  std::fflush(stdout);
}

void Sleep() {
  char line;
  if (::read(0, &line, 1) < 0 && errno == EINTR) std::puts("interrupted");
  std::fflush(stdout);
}

// push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret
constexpr unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

void CallMadeCode() {
  void* code = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memcpy(code, kCode, sizeof(kCode));
  ::mprotect(code, 4096, PROT_READ | PROT_EXEC);
  const std::string map = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  std::FILE* file = std::fopen(map.c_str(), "w");
  std::fprintf(file, "%lx %zx made_at_run_time\n", reinterpret_cast<unsigned long>(code),
               sizeof(kCode));
  std::fclose(file);
  Ready();
  void (*made)(void (*)());
  std::memcpy(&made, &code, sizeof(made));
  made(Sleep);
  ::unlink(map.c_str());
}

}  // namespace

SAMPLE sample_handler(int) {
  Ready();
  Sleep();
  KEEP_FRAME();
}

SAMPLE sample_worker() {
  char line;
  static_cast<void>(!::read(0, &line, 1));
  KEEP_FRAME();
}

SAMPLE sample_inner() {
  if (depth > 0) {
    --depth;
    sample_inner();
  } else if (mode == "handler") {
    ::raise(SIGUSR1);
  } else if (mode == "jit") {
    CallMadeCode();
  } else if (mode == "null") {
    void (*volatile nowhere)() = nullptr;
    nowhere();
  } else {
    Ready();
    while (mode == "spin") turns = turns + 1;
    Sleep();
  }
  KEEP_FRAME();
}

SAMPLE sample_middle() {
  sample_inner();
  KEEP_FRAME();
}

SAMPLE sample_outer() {
  sample_middle();
  KEEP_FRAME();
}

int main(int argc, char** argv) {
  mode = argc > 1 ? argv[1] : "sleep";
  depth = argc > 2 ? std::atoi(argv[2]) : 0;
  std::signal(SIGUSR1, sample_handler);
  if (mode == "threads") {
    for (int i = 0; i < 3; ++i) {
      std::thread worker(sample_worker);
      ::pthread_setname_np(worker.native_handle(), "worker");
      worker.detach();
    }
  }
  sample_outer();
  std::fflush(stdout);
  ::_exit(0);
}
