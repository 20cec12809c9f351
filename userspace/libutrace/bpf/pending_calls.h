// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_PENDING_CALLS_H_
#define UTRACE_LIBUTRACE_BPF_PENDING_CALLS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "userspace/libutrace/bpf/pending_memory.h"

struct bpf_link;

namespace utrace {

// Which calls in progress are to be told of: each once, when it has lasted long enough, or at once
// in a thread that was in it when we came.
class PendingCalls {
 public:
  explicit PendingCalls(PendingMemory memory) : memory_(std::move(memory)) {}

  // Looks at all traced threads and appends the frames of what is to be told to `out`. `attached`:
  // the first look after processes were added.
  absl::Status Scan(bpf_link* scan, bool attached, std::string& out);

 private:
  struct Seen {
    uint64_t calls = 0;
    uint64_t since_ns = 0;
    bool told = false;
    uint64_t scan = 0;
  };

  PendingMemory memory_;
  absl::flat_hash_map<uint32_t, Seen> seen_;
  std::vector<char> buffer_;
  uint64_t scans_ = 0;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_PENDING_CALLS_H_
