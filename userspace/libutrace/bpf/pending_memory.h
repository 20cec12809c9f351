// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_PENDING_MEMORY_H_
#define UTRACE_LIBUTRACE_BPF_PENDING_MEMORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "include/uapi/utrace_records.h"

namespace utrace {

// What the arguments of a call in progress point to. The observer's programs copy it when the call
// ends, in the thread's own context; to show a call before that, it is read from here, by the same
// rules, without touching the thread.
class PendingMemory {
 public:
  PendingMemory(absl::Span<const utrace_copy_rules> rules_x86_64,
                absl::Span<const utrace_copy_rules> rules_i386, uint32_t path_limit,
                uint32_t data_limit);

  // The record of type PENDING with its payloads behind it. Without any if the memory may not be
  // read (which takes what ptrace takes), or if the thread has left the call meanwhile.
  std::string WithPayloads(const utrace_rec_syscall& call) const;

 private:
  void AppendPayload(const utrace_rec_syscall& call, const utrace_copy_rule& rule,
                     std::string& record) const;

  std::vector<utrace_copy_rules> rules_x86_64_;
  std::vector<utrace_copy_rules> rules_i386_;
  uint32_t path_limit_;
  uint32_t data_limit_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_PENDING_MEMORY_H_
