// SPDX-License-Identifier: Apache-2.0
// callsx32: an x32 program.  For each line on its standard input it calls getpriority(0, 0) and
// says the result, of two digits.  It stands alone: there need be no library for x32, nor headers.

namespace {

constexpr int kX32 = 0x40000000;
constexpr int kRead = kX32 | 0;
constexpr int kWrite = kX32 | 1;
constexpr int kExit = kX32 | 60;
constexpr int kGetpriority = kX32 | 140;

int Call(int nr, long long a, long long b, long long c) {
  int result;
  asm volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

long long Address(const char* data) { return reinterpret_cast<unsigned>(data); }

}  // namespace

extern "C" [[noreturn]] void Main() {
  Call(kWrite, 1, Address("ready\n"), 6);
  for (;;) {
    char line[2];
    if (Call(kRead, 0, Address(line), 2) != 2) Call(kExit, 0, 0, 0);
    const unsigned result = static_cast<unsigned>(Call(kGetpriority, 0, 0, 0));
    const char text[] = {static_cast<char>('0' + result / 10 % 10),
                         static_cast<char>('0' + result % 10), '\n'};
    Call(kWrite, 1, Address(text), 3);
  }
}

asm(".globl _start\n_start:\n\tcall Main\n");
