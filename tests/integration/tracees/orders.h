// SPDX-License-Identifier: Apache-2.0
// Orders by the lines of the standard input.
#ifndef TESTS_INTEGRATION_TRACEES_ORDERS_H_
#define TESTS_INTEGRATION_TRACEES_ORDERS_H_

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

namespace utrace::test {

// Says "ready" and obeys until the input ends: what `obey` gives for a line is the answer.  By
// calls that come back alone from a signal.
template <typename Obey>
int ObeyLines(Obey obey) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  dprintf(1, "ready\n");
  std::string line;
  char byte;
  for (;;) {
    const ssize_t got = read(0, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1) return 0;
    if (byte != '\n') {
      line.push_back(byte);
      continue;
    }
    const std::string order = line;
    line.clear();
    dprintf(1, "%s\n", std::string(obey(order)).c_str());
  }
}

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_TRACEES_ORDERS_H_
