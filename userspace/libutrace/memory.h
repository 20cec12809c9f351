// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_MEMORY_H_
#define UTRACE_LIBUTRACE_MEMORY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "userspace/libutrace/engine.h"

namespace utrace {

// The memory of a thread that `engine` holds. A transfer ends at the first page that is not there:
// what was done before it counts.
class Memory {
 public:
  Memory(const Engine& engine, pid_t tid) : engine_(engine), tid_(tid) {}

  // Bytes done, perhaps fewer than asked for; none at all is an error (EFAULT).
  absl::StatusOr<size_t> Read(uint64_t address, absl::Span<std::byte> bytes) const;
  absl::StatusOr<size_t> Write(uint64_t address, absl::Span<const std::byte> bytes) const;

  // All or an error that says how many were done.
  absl::Status ReadAll(uint64_t address, absl::Span<std::byte> bytes) const;
  absl::Status WriteAll(uint64_t address, absl::Span<const std::byte> bytes) const;

  // Up to its NUL, at most `limit` bytes.
  absl::StatusOr<std::string> ReadString(uint64_t address, size_t limit) const;

 private:
  absl::StatusOr<size_t> Transfer(uint64_t address, void* buffer, size_t length,
                                  uint32_t flags) const;

  Engine engine_;
  pid_t tid_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_MEMORY_H_
