// SPDX-License-Identifier: Apache-2.0
// What sits between a program, with all that it starts, and the kernel, and changes the calls that
// pass.  Several may be nested: each takes the one below it for the kernel, and knows nothing of
// the others.
//
// A path is judged where the call begins, and read again by the kernel: another thread may change
// it in between.  So this makes a view, and no prison.
#ifndef EXAMPLES_VIRTUALIZER_H_
#define EXAMPLES_VIRTUALIZER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "userspace/libutrace/engine.h"
#include "userspace/libutrace/memory.h"

namespace utrace::examples {

// A thread held where a call begins or ends.
class HeldCall {
 public:
  HeldCall(const Engine& engine, const utrace_notice& notice);

  int Number() const { return notice_.nr; }
  uint64_t Argument(size_t index) const { return notice_.args[index]; }
  int64_t Result() const { return notice_.result; }  // at its end; -errno for an error
  uint64_t StackPointer() const { return notice_.sp; }
  Memory GetMemory() const { return Memory(engine_, notice_.tid); }
  // Nothing if there is no string in the program's memory.
  std::optional<std::string> String(uint64_t address) const;

  // Where it begins: for this call alone, as the program will find its registers as they were.
  void SetArgument(size_t index, uint64_t value);
  void Skip(int64_t result);
  // Where it ends.
  void SetResult(int64_t result);
  // The program makes it once more.
  void Repeat() { repeated_ = true; }

  const utrace_answer& Answer() const { return answer_; }
  bool Changed() const { return answer_.flags & UTRACE_ANSWER_SET_CALL; }
  bool Repeated() const { return repeated_; }

 private:
  Engine engine_;
  utrace_notice notice_;
  utrace_answer answer_;
  bool repeated_ = false;
};

class Virtualizer {
 public:
  virtual ~Virtualizer() = default;
  // Those of which it is told.
  virtual std::vector<int> Calls() const = 0;
  virtual absl::Status Begins(HeldCall& call) = 0;
  virtual absl::Status Ends(HeldCall& /*call*/) { return absl::OkStatus(); }
};

// Runs the command under it until the last process has ended.  Gives the command's exit status, as
// a shell has it.
int RunUnder(Virtualizer& virtualizer, const std::vector<std::string>& command);

// Calls with paths among their arguments, and which these are.
std::vector<int> CallsWithPaths();
std::vector<size_t> PathArguments(int call);

}  // namespace utrace::examples

#endif  // EXAMPLES_VIRTUALIZER_H_
