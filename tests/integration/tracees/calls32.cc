// SPDX-License-Identifier: Apache-2.0
// calls32: a 32-bit program.  For each line on its standard input, "i" or "v", it calls
// getpriority(0, 0) by int 0x80, or by the vDSO's fast entry, and says the result, of two digits.
// It stands alone: there need be no 32-bit library, nor headers for one.

namespace {

constexpr int kRead = 3;
constexpr int kWrite = 4;
constexpr int kGetpriority = 96;
constexpr int kAtSysinfo = 32;

int Call(int nr, int a, int b, int c) {
  int result;
  asm volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}

int FastCall(int nr, int a, int b, int c) {
  int result;
  asm volatile("call *fast_entry_address"
               : "=a"(result)
               : "a"(nr), "b"(a), "c"(b), "d"(c)
               : "memory");
  return result;
}

}  // namespace

extern "C" int fast_entry_address;
int fast_entry_address;

// What the kernel puts on a new stack: arguments, environment, auxiliary vector.
extern "C" [[noreturn]] void Main(int* stack) {
  int* word = stack + 1 + stack[0] + 1;
  while (*word != 0) ++word;
  for (++word; *word != 0; word += 2) {
    if (*word == kAtSysinfo) fast_entry_address = word[1];
  }
  Call(kWrite, 1, reinterpret_cast<int>("ready\n"), 6);
  for (;;) {
    char line[2];
    if (Call(kRead, 0, reinterpret_cast<int>(line), 2) != 2) Call(1, 0, 0, 0);
    const unsigned result = static_cast<unsigned>(line[0] == 'i' ? Call(kGetpriority, 0, 0, 0)
                                                                 : FastCall(kGetpriority, 0, 0, 0));
    const char text[] = {static_cast<char>('0' + result / 10 % 10),
                         static_cast<char>('0' + result % 10), '\n'};
    Call(kWrite, 1, reinterpret_cast<int>(text), 3);
  }
}

asm(".globl _start\n_start:\n\tmov %esp, %eax\n\tpush %eax\n\tcall Main\n");
