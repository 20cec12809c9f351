// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/pending_calls.h"

#include "include/uapi/utrace_observe.h"
#include "include/uapi/utrace_records.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/iterate.h"
#include "userspace/libutrace/frames.h"

namespace utrace {
namespace {

constexpr uint64_t kLongNs = 200'000'000;

}  // namespace

absl::Status PendingCalls::Scan(bpf_link* scan, bool attached, std::string& out) {
  ++scans_;
  RETURN_IF_ERROR(RunIterator(scan, buffer_));
  for (size_t at = 0; at + sizeof(observe_pending) <= buffer_.size();
       at += sizeof(observe_pending)) {
    const auto& found = *reinterpret_cast<const observe_pending*>(buffer_.data() + at);
    const utrace_rec_head& head = found.record.head;
    Seen& seen = seen_[head.tid];
    if (seen.scan == 0 || seen.calls != found.calls) seen = {found.calls, head.ts, false, 0};
    seen.scan = scans_;
    if (seen.told || (!attached && head.ts - seen.since_ns < kLongNs)) continue;
    seen.told = true;
    const std::string record = memory_.WithPayloads(found.record);
    AppendFrame(Bytes(reinterpret_cast<const std::byte*>(record.data()), record.size()), out);
  }
  // Threads that were not asleep this time. One that runs in the middle of its call is found again
  // with the same count of calls, but would then be told of twice: so those told of stay.
  absl::erase_if(
      seen_, [&](const auto& entry) { return entry.second.scan != scans_ && !entry.second.told; });
  return absl::OkStatus();
}

}  // namespace utrace
