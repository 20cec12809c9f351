// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/lane_reader.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

uint64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LaneReader>> LaneReader::Map(int map_fd, size_t lanes,
                                                            size_t ring_bytes) {
  const size_t bytes = lanes * LaneBytes(ring_bytes);
  void* map = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (map == MAP_FAILED)
    return LastErrno(absl::StrCat("map the observer's rings, ", bytes, " bytes"));
  return std::unique_ptr<LaneReader>(new LaneReader(map, lanes, ring_bytes));
}

LaneReader::LaneReader(void* map, size_t lanes, size_t ring_bytes)
    : map_(map), map_bytes_(lanes * LaneBytes(ring_bytes)), ring_bytes_(ring_bytes) {
  for (size_t i = 0; i < lanes; ++i) {
    std::byte* const start = static_cast<std::byte*>(map) + i * LaneBytes(ring_bytes);
    Lane lane;
    lane.shared = reinterpret_cast<observe_lane*>(start);
    lane.ring = start + sizeof(observe_lane);
    lane.at = lane.shared->tail;
    lanes_.push_back(lane);
  }
}

LaneReader::~LaneReader() { ::munmap(map_, map_bytes_); }

Bytes LaneReader::Peek(size_t limit) {
  // In this order: a record's time is taken after its room, so all up to now have theirs below the
  // heads read next. What comes later waits for the next round, as before it on another CPU there
  // may be one of the same thread that this round has missed.
  latest_ = NowNs();
  for (Lane& lane : lanes_) {
    // Pairs with the program's exchange.
    lane.end = __atomic_load_n(&lane.shared->head, __ATOMIC_ACQUIRE);
  }
  for (Lane& lane : lanes_) LookAt(lane);
  while (taken_bytes_ < limit) {
    Lane* const lane = Earliest();
    if (!lane) break;
    TakeRun(*lane, limit);
  }
  if (taken_.empty()) return {};
  if (taken_.size() == 1) return taken_.front();
  merged_.clear();
  for (const absl::Span<std::byte> run : taken_) {
    merged_.append(reinterpret_cast<const char*>(run.data()), run.size());
  }
  return Bytes(reinterpret_cast<const std::byte*>(merged_.data()), merged_.size());
}

void LaneReader::LookAt(Lane& lane) {
  lane.ts.reset();
  if (lane.at == lane.end) return;
  const std::byte* const frame = FrameOf(lane);
  // Pairs with commit() in the program.
  if (__atomic_load_n(reinterpret_cast<const uint32_t*>(frame), __ATOMIC_ACQUIRE) == 0) {
    // Its writer was interrupted. Whose records come behind it is not known, nor their times, but
    // that they are no earlier than what came before.
    latest_ = std::min(latest_, lane.last_ts);
    return;
  }
  uint64_t ts = 0;
  std::memcpy(&ts, frame + OBSERVE_FRAME_HEAD + offsetof(utrace_rec_head, ts), sizeof(ts));
  lane.ts = ts;
}

LaneReader::Lane* LaneReader::Earliest() {
  Lane* found = nullptr;
  for (Lane& lane : lanes_) {
    if (lane.ts && *lane.ts <= latest_ && (!found || *lane.ts < *found->ts)) found = &lane;
  }
  return found;
}

// As far as no other lane has something earlier, and as it lies in one piece.
void LaneReader::TakeRun(Lane& lane, size_t limit) {
  uint64_t until = latest_;
  for (const Lane& other : lanes_) {
    if (&other != &lane && other.ts) until = std::min(until, *other.ts);
  }
  std::byte* const start = FrameOf(lane);
  std::byte* end = start;
  do {
    uint32_t word = 0;
    std::memcpy(&word, end, sizeof(word));
    const size_t size = FrameSize(FrameRecordLen(word));
    lane.last_ts = *lane.ts;
    lane.at += size;
    end += size;
    taken_bytes_ += size;
    LookAt(lane);
  } while (lane.ts && *lane.ts <= std::min(until, latest_) && FrameOf(lane) == end &&
           taken_bytes_ < limit);
  taken_.emplace_back(start, static_cast<size_t>(end - start));
}

void LaneReader::Consume() {
  for (const absl::Span<std::byte> run : taken_) std::memset(run.data(), 0, run.size());
  taken_.clear();
  taken_bytes_ = 0;
  for (Lane& lane : lanes_) __atomic_store_n(&lane.shared->tail, lane.at, __ATOMIC_RELEASE);
}

uint64_t LaneReader::Dropped() const {
  uint64_t sum = 0;
  for (const Lane& lane : lanes_) sum += __atomic_load_n(&lane.shared->dropped, __ATOMIC_RELAXED);
  return sum;
}

}  // namespace utrace
