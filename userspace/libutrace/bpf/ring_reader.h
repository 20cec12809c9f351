// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_RING_READER_H_
#define UTRACE_LIBUTRACE_BPF_RING_READER_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "userspace/libutrace/frames.h"

namespace utrace {

// The consumer's end of a BPF ring buffer. Unlike libbpf's it hands out all that is there as one
// piece of memory, which a recorder can write to its file without touching each record.
class RingReader {
 public:
  static absl::StatusOr<std::unique_ptr<RingReader>> Map(int map_fd, size_t bytes);
  ~RingReader();
  RingReader(const RingReader&) = delete;
  RingReader& operator=(const RingReader&) = delete;

  // Whole frames, up to about `limit` bytes; empty if there are none. They stay until Consume.
  Bytes Peek(size_t limit);

  // Gives the first `bytes` of what Peek returned back to the kernel.
  void Consume(size_t bytes);

 private:
  RingReader(void* consumer, void* producer, size_t bytes);

  void* consumer_map_;
  void* producer_map_;
  size_t bytes_;
  size_t page_;
  uint64_t* consumer_pos_;
  const uint64_t* producer_pos_;
  const std::byte* data_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_RING_READER_H_
