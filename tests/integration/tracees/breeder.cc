// SPDX-License-Identifier: Apache-2.0
// breeder N: N threads that make others without end, each of which lives for a while: some dozens
// are there at any time, and some are always being born.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr useconds_t kLife = 100'000;
constexpr useconds_t kPause = 2'000;

void Breed() {
  for (;;) {
    std::thread([] { usleep(kLife); }).detach();
    usleep(kPause);
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
