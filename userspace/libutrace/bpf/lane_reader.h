// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_LANE_READER_H_
#define UTRACE_LIBUTRACE_BPF_LANE_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "include/uapi/utrace_observe.h"
#include "userspace/libutrace/frames.h"

namespace utrace {

// The consumer's end of the observer's rings, one for each CPU (struct observe_lane). It hands out
// the frames of all of them in the order of time, and where they come from one CPU, as they mostly
// do, as they lie there: a recorder can write them to its file without a copy.
class LaneReader {
 public:
  // Bytes of one lane's map value, whose ring has `ring_bytes`.
  static constexpr size_t LaneBytes(size_t ring_bytes) {
    // Whole cache lines, so that no two CPUs share one.
    return (sizeof(observe_lane) + ring_bytes + OBSERVE_FRAME_HEAD + OBSERVE_RECORD_MAX + 63) &
           ~size_t{63};
  }

  // `ring_bytes` is a power of two.
  static absl::StatusOr<std::unique_ptr<LaneReader>> Map(int map_fd, size_t lanes,
                                                         size_t ring_bytes);
  ~LaneReader();
  LaneReader(const LaneReader&) = delete;
  LaneReader& operator=(const LaneReader&) = delete;

  // Whole frames, about `limit` bytes at most; empty if there are none. Of what a thread wrote
  // nothing is left out between two frames that are given, whichever CPUs it ran on. They stay
  // until Consume.
  Bytes Peek(size_t limit);

  // Gives the room of all that Peek returned back to the programs.
  void Consume();

  // Records that found no room, so far.
  uint64_t Dropped() const;

 private:
  struct Lane {
    observe_lane* shared = nullptr;
    std::byte* ring = nullptr;
    uint64_t at = 0;             // the first frame not handed out
    uint64_t end = 0;            // where frames ended when last looked
    uint64_t last_ts = 0;        // of the last frame handed out
    std::optional<uint64_t> ts;  // of the frame at `at`, if it can be handed out
  };

  LaneReader(void* map, size_t lanes, size_t ring_bytes);

  std::byte* FrameOf(const Lane& lane) const { return lane.ring + (lane.at & (ring_bytes_ - 1)); }
  void LookAt(Lane& lane);
  Lane* Earliest();
  void TakeRun(Lane& lane, size_t limit);

  void* map_;
  size_t map_bytes_;
  size_t ring_bytes_;
  std::vector<Lane> lanes_;
  uint64_t latest_ = 0;  // what is later than this may lack others before it
  std::vector<absl::Span<std::byte>> taken_;
  size_t taken_bytes_ = 0;
  std::string merged_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_LANE_READER_H_
