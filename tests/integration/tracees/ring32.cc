// SPDX-License-Identifier: Apache-2.0
// ring32: a 32-bit program that waits in io_uring_enter for ever, where works meant for it are run.
// It stands alone: there need be no 32-bit library, nor headers for one.

namespace {

constexpr int kWrite = 4;
constexpr int kIoUringSetup = 425;
constexpr int kIoUringEnter = 426;
constexpr int kGetEvents = 1;

int Call(int nr, int a, int b, int c, int d = 0, int e = 0) {
  int result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
               : "memory");
  return result;
}

const char ready[] = "ready\n";
char params[120];  // struct io_uring_params

}  // namespace

extern "C" void _start() {
  const int ring = Call(kIoUringSetup, 1, reinterpret_cast<int>(params), 0);
  Call(kWrite, 1, reinterpret_cast<int>(ready), sizeof(ready) - 1);
  for (;;) Call(kIoUringEnter, ring, 0, 1, kGetEvents);
}
