// SPDX-License-Identifier: Apache-2.0
// uring FD: reads a byte from FD by io_uring, in one call that waits for it; says what the call and
// the read gave.
#include <cstdio>
#include <cstdlib>

#include "tests/integration/tracees/ring.h"

int main(int, char** argv) {
  utrace::test::Ring ring;
  char byte = 0;
  ring.PrepareRead(std::atoi(argv[1]), &byte);
  dprintf(1, "ready\n");
  const long submitted = ring.SubmitAndWait();
  dprintf(1, "%ld %d\n", submitted, ring.Result());
}
