// SPDX-License-Identifier: Apache-2.0
// Processes to be traced, and those that trace them.
#ifndef BENCH_CONTROL_CHILD_H_
#define BENCH_CONTROL_CHILD_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace utrace::bench {

// A number that parent and child both see.
class Shared {
 public:
  Shared();
  ~Shared();
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  std::atomic<uint64_t>& operator*() const { return *value_; }
  // Until it is at least so much.
  absl::Status WaitFor(uint64_t value, const char* what) const;

 private:
  std::atomic<uint64_t>* value_;
};

// A child of our own that runs a function and ends with what that returns; killed and reaped with
// the object.
class Child {
 public:
  static absl::StatusOr<Child> Run(const std::function<int()>& body);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t Pid() const { return pid_; }
  // Its exit status; 128 and more: by that signal.
  absl::StatusOr<int> Wait();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}

  pid_t pid_;
};

// Makes getpid calls for ever.
[[noreturn]] void CallForEver();

// A child with so many threads (its first among them), all asleep.
absl::StatusOr<Child> Sleepers(int threads);

}  // namespace utrace::bench

#endif  // BENCH_CONTROL_CHILD_H_
