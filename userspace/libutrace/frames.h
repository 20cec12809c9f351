// SPDX-License-Identifier: Apache-2.0
// Records travel in frames, in memory and in files alike: a word with the length and two flags, a
// word of no meaning, the record, then padding to 8. The kernel's own BPF ring buffer has the same.
#ifndef UTRACE_LIBUTRACE_FRAMES_H_
#define UTRACE_LIBUTRACE_FRAMES_H_

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"

namespace utrace {

using Bytes = absl::Span<const std::byte>;

inline constexpr size_t kFrameHead = BPF_RINGBUF_HDR_SZ;

inline constexpr size_t FrameSize(uint32_t record_len) {
  return (kFrameHead + record_len + 7) & ~size_t{7};
}

// The length of a record whose frame begins with `word`.
inline constexpr uint32_t FrameRecordLen(uint32_t word) {
  return word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
}

// Appends one record of user space's own making.
inline void AppendFrame(Bytes record, std::string& out) {
  const uint32_t head[2] = {static_cast<uint32_t>(record.size()), 0};
  out.append(reinterpret_cast<const char*>(head), sizeof(head));
  out.append(reinterpret_cast<const char*>(record.data()), record.size());
  out.resize((out.size() + 7) & ~size_t{7});
}

// Calls `visit` for every record that was not discarded, until it fails. Frames that do not fit
// into `frames` are an error.
absl::Status ForEachRecord(Bytes frames, absl::FunctionRef<absl::Status(Bytes record)> visit);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_FRAMES_H_
