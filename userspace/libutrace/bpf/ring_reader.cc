// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/ring_reader.h"

#include <sys/mman.h>
#include <unistd.h>

#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

size_t ProducerMapSize(size_t page, size_t bytes) { return page + 2 * bytes; }

}  // namespace

absl::StatusOr<std::unique_ptr<RingReader>> RingReader::Map(int map_fd, size_t bytes) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* consumer = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return LastErrno("map the ring buffer's consumer page");
  // The kernel maps the data twice in a row, so that no record is ever split.
  void* producer = ::mmap(nullptr, ProducerMapSize(page, bytes), PROT_READ, MAP_SHARED, map_fd,
                          static_cast<off_t>(page));
  if (producer == MAP_FAILED) {
    const absl::Status status = LastErrno("map the ring buffer's data");
    ::munmap(consumer, page);
    return status;
  }
  return std::unique_ptr<RingReader>(new RingReader(consumer, producer, bytes));
}

RingReader::RingReader(void* consumer, void* producer, size_t bytes)
    : consumer_map_(consumer),
      producer_map_(producer),
      bytes_(bytes),
      page_(static_cast<size_t>(::sysconf(_SC_PAGESIZE))),
      consumer_pos_(static_cast<uint64_t*>(consumer)),
      producer_pos_(static_cast<const uint64_t*>(producer)),
      data_(static_cast<const std::byte*>(producer) + page_) {}

RingReader::~RingReader() {
  ::munmap(consumer_map_, page_);
  ::munmap(producer_map_, ProducerMapSize(page_, bytes_));
}

Bytes RingReader::Peek(size_t limit) {
  const uint64_t start = *consumer_pos_;
  const uint64_t end = __atomic_load_n(producer_pos_, __ATOMIC_ACQUIRE);
  const std::byte* first = data_ + (start & (bytes_ - 1));
  uint64_t at = start;
  while (at < end && at - start < limit) {
    const auto* word = reinterpret_cast<const uint32_t*>(first + (at - start));
    // Pairs with the producer's exchange of this word when the record is complete.
    const uint32_t head = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (head & BPF_RINGBUF_BUSY_BIT) break;
    at += FrameSize(FrameRecordLen(head));
  }
  return Bytes(first, at - start);
}

void RingReader::Consume(size_t bytes) {
  __atomic_store_n(consumer_pos_, *consumer_pos_ + bytes, __ATOMIC_RELEASE);
}

}  // namespace utrace
