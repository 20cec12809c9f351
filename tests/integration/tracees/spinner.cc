// SPDX-License-Identifier: Apache-2.0
// spinner N: N threads that run for ever without a system call.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  volatile unsigned long turns = 0;
  auto spin = [&turns] {
    for (;;) turns = turns + 1;
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(spin);
  std::puts("ready");
  std::fflush(stdout);
  spin();
}
