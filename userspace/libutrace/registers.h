// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_REGISTERS_H_
#define UTRACE_LIBUTRACE_REGISTERS_H_

#include <sys/types.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "userspace/libutrace/engine.h"

namespace utrace {

// A whole regset of a thread that `engine` holds, as the kernel lays it out: "general", "float",
// "xstate", "ioperm", "shstk".
absl::StatusOr<std::vector<std::byte>> ReadRegset(const Engine& engine, pid_t tid,
                                                  absl::string_view name);
absl::Status WriteRegset(const Engine& engine, pid_t tid, absl::string_view name,
                         absl::Span<const std::byte> bytes);

// A copy of the general registers of a held 64-bit thread. Set() changes the copy, Write() the
// thread.
class Registers {
 public:
  static absl::StatusOr<Registers> Read(const Engine& engine, pid_t tid);

  // By the names of the manual: rax, rip, orig_rax, eflags, fs_base, ...
  absl::StatusOr<uint64_t> Get(absl::string_view name) const;
  absl::Status Set(absl::string_view name, uint64_t value);
  absl::Status Write() const;

  static std::vector<std::string> Names();

 private:
  Registers(const Engine& engine, pid_t tid) : engine_(engine), tid_(tid) {}

  Engine engine_;
  pid_t tid_;
  user_regs_struct values_{};
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_REGISTERS_H_
