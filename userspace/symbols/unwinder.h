// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_SYMBOLS_UNWINDER_H_
#define UTRACE_SYMBOLS_UNWINDER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "userspace/libutrace/thread_snapshot.h"

namespace utrace {

struct Frame {
  uint64_t pc = 0;
  // The instruction at `pc` is the next to run. Else it is where a call returns to, and the call,
  // which may be the last instruction of its function, lies before it.
  bool next = false;

  // In the instruction that is meant.
  uint64_t Inside() const { return next ? pc : pc - 1; }
};

struct Stack {
  std::vector<Frame> frames;  // innermost first
  // Why there are no more, if the outermost function was not reached; empty: it was.
  std::string cut;
};

struct SourceLine {
  std::string file;
  int line = 0;  // 0: not known
};

// Finds the callers of what a process's threads are in, by the call frame information of its
// program and libraries (libdw), as they are mapped: also in another mount namespace, and if the
// file has been replaced since.
class Unwinder {
 public:
  // While the process lives. Its mappings are read now, its files when they are needed.
  static absl::StatusOr<std::unique_ptr<Unwinder>> Open(pid_t pid);
  virtual ~Unwinder() = default;

  // A snapshot with registers.
  virtual Stack Unwind(const ThreadSnapshot& thread, size_t limit) = 0;

  // From its symbol table; the offset in it. Empty if none is known.
  virtual std::string NameOf(uint64_t address, uint64_t* offset) = 0;

  // From the debugging information, if it is installed.
  virtual SourceLine SourceOf(uint64_t address) = 0;

  // In hexadecimal; empty if nothing is mapped there, or it has none.
  virtual std::string BuildIdOf(uint64_t address) = 0;
};

}  // namespace utrace

#endif  // UTRACE_SYMBOLS_UNWINDER_H_
