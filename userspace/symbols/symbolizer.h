// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_SYMBOLS_SYMBOLIZER_H_
#define UTRACE_SYMBOLS_SYMBOLIZER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace utrace {

struct Symbol {
  std::string name;     // demangled; empty: not known
  uint64_t offset = 0;  // of the address in it; without a name, in the module
  std::string module;   // path, as the process has it; empty: nothing known is mapped there
};

// Names for a process's addresses (BCC's symbol cache): from its program and libraries, as its
// mount namespace has them, their separate debugging information, and the maps that just-in-time
// compilers write (/tmp/perf-PID.map).
class Symbolizer {
 public:
  explicit Symbolizer(pid_t pid);
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // Each address is looked up once.
  Symbol Resolve(uint64_t address);

 private:
  pid_t pid_;
  void* cache_;
  absl::flat_hash_map<uint64_t, Symbol> known_;
};

}  // namespace utrace

#endif  // UTRACE_SYMBOLS_SYMBOLIZER_H_
