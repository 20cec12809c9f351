// SPDX-License-Identifier: Apache-2.0
// Runs a command under minimal.bpf.c, taking its records out of the ring and dropping them, and
// prints how many there were; or, with --empty first, under an empty pair of programs.
#include <bpf/libbpf.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "empty_pair_bpf.skel.h"
#include "minimal_bpf.skel.h"

namespace {

unsigned long long records = 0;

int Take(void*, void*, size_t) {
  ++records;
  return 0;
}

void PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) std::perror("sched_setaffinity");
}

}  // namespace

int main(int argc, char** argv) {
  const bool empty = argc > 1 && std::strcmp(argv[1], "--empty") == 0;
  argc -= empty;
  argv += empty;
  if (argc < 3) {
    std::fprintf(stderr, "usage: minimal [--empty] CPU COMMAND...\n");
    return 2;
  }
  int gate[2];
  if (pipe(gate) != 0) return 1;
  const pid_t pid = fork();
  if (pid == 0) {
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) < 0) _exit(1);
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  PinTo(std::atoi(argv[1]));
  empty_pair_bpf* pair = empty ? empty_pair_bpf::open_and_load() : nullptr;
  if (empty && (!pair || empty_pair_bpf::attach(pair))) return 1;
  minimal_bpf* skeleton = minimal_bpf::open(nullptr);
  if (!skeleton) return 1;
  skeleton->rodata->target = pid;
  bpf_program__set_autoload(skeleton->progs.on_sys_exit, !empty);
  if (minimal_bpf::load(skeleton) || minimal_bpf::attach(skeleton)) return 1;
  ring_buffer* ring = ring_buffer__new(bpf_map__fd(skeleton->maps.ring), Take, nullptr, nullptr);
  if (!ring) return 1;
  close(gate[0]);
  close(gate[1]);
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    ring_buffer__consume(ring);
    const timespec nap{0, 1000000};
    nanosleep(&nap, nullptr);
  }
  ring_buffer__consume(ring);
  std::fprintf(stderr, "%llu records, %llu dropped\n", records,
               static_cast<unsigned long long>(skeleton->bss->dropped));
  ring_buffer__free(ring);
  minimal_bpf::destroy(skeleton);
  if (pair) empty_pair_bpf::destroy(pair);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
