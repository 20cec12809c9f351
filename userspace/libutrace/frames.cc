// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/frames.h"

#include "userspace/base/status_macros.h"

namespace utrace {

absl::Status ForEachRecord(Bytes frames, absl::FunctionRef<absl::Status(Bytes record)> visit) {
  while (!frames.empty()) {
    uint32_t word = 0;
    if (frames.size() < kFrameHead) return absl::DataLossError("a record's frame is cut short");
    std::memcpy(&word, frames.data(), sizeof(word));
    const uint32_t len = FrameRecordLen(word);
    const size_t size = FrameSize(len);
    if (size > frames.size()) return absl::DataLossError("a record is longer than what holds it");
    if (!(word & BPF_RINGBUF_DISCARD_BIT)) RETURN_IF_ERROR(visit(frames.subspan(kFrameHead, len)));
    frames.remove_prefix(size);
  }
  return absl::OkStatus();
}

}  // namespace utrace
