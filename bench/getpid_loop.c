// SPDX-License-Identifier: Apache-2.0
// Makes N getpid calls on one CPU and prints the nanoseconds that each took.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double Now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: getpid_loop CALLS CPU (-1: any)\n");
    return 2;
  }
  const long calls = atol(argv[1]);
  const int cpu = atoi(argv[2]);
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
      perror("sched_setaffinity");
      return 1;
    }
  }
  const double begin = Now();
  for (long i = 0; i < calls; ++i) syscall(SYS_getpid);
  printf("%.2f\n", (Now() - begin) / (double)calls);
  return 0;
}
