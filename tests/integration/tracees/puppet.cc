// SPDX-License-Identifier: Apache-2.0
// puppet FD: makes the one system call it is told to, by memory it shares with the test (FD), and
// otherwise runs in user mode: nothing happens to it that the test did not ask for.
#include "tests/integration/puppet.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

using utrace::test::PuppetStrings;
using utrace::test::PuppetVerb;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  void* memory = mmap(nullptr, sizeof(PuppetStrings), PROT_READ | PROT_WRITE, MAP_SHARED,
                      std::atoi(argv[1]), 0);
  if (memory == MAP_FAILED) return 3;
  auto* strings = static_cast<PuppetStrings*>(memory);
  // The order that brought this image about, too.
  strings->done = strings->orders.load();
  for (;;) {
    const unsigned order = strings->orders;
    if (order == strings->done) {
      strings->turns = strings->turns + 1;
      continue;
    }
    const PuppetVerb verb = strings->verb;
    if (verb == PuppetVerb::kExec) {
      execv("/proc/self/exe", argv);
      return 4;
    }
    do {
      const long result = syscall(strings->nr.load(), strings->argument.load());
      strings->result = result < 0 ? -errno : result;
    } while (verb == PuppetVerb::kCallOn && strings->orders == order);
    strings->done = order;
  }
}
