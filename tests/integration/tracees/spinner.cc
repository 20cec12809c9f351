// SPDX-License-Identifier: Apache-2.0
// spinner N: N threads that run for ever without a system call.  After "ready" it says where they
// count their turns.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  static volatile unsigned long turns = 0;
  auto spin = [] {
    for (;;) turns = turns + 1;
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(spin);
  std::printf("ready\n%p\n", const_cast<unsigned long*>(&turns));
  std::fflush(stdout);
  spin();
}
