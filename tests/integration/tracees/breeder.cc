// SPDX-License-Identifier: Apache-2.0
// breeder N: N threads, each of which makes short-lived threads without end.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

void Breed() {
  for (;;) {
    std::thread([] { std::thread([] { usleep(500); }).join(); }).join();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  std::puts("ready");
  std::fflush(stdout);
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(Breed);
  Breed();
}
