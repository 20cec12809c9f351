// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_EVENT_STREAM_H_
#define UTRACE_LIBUTRACE_EVENT_STREAM_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "userspace/libutrace/event.h"
#include "userspace/libutrace/record_source.h"

namespace utrace {

// Events of all threads, merged by time. Each thread's own are in exact order, and what was lost of
// it shows as a LostEvent at its place.
class EventStream {
 public:
  struct Totals {
    uint64_t events = 0;  // without LostEvents
    uint64_t lost = 0;
  };

  // `source` must outlive the stream.
  explicit EventStream(RecordSource& source) : source_(source) {}

  // The next event, waiting up to `timeout`; nothing if there was none in that time, a signal came,
  // or the stream is at its end.
  absl::StatusOr<std::optional<Event>> Next(absl::Duration timeout);

  // Next() will give nothing more.
  bool AtEnd() const { return ended_ && queue_.empty(); }

  const Totals& GetTotals() const { return totals_; }

 private:
  absl::Status Fill(absl::Duration timeout);
  void Arrive(Event event);
  void NoteGap(Event& event);
  void Enqueue(Event event);
  void Finish(uint64_t dropped);
  void Release(Event& event);
  bool EndPending(int32_t tid, int32_t nr);
  bool Ready() const;

  RecordSource& source_;
  std::deque<Event> queue_;  // by time; equal times in order of arrival
  uint64_t newest_ns_ = 0;
  bool settled_ = false;  // the source had nothing left: no older record is on its way
  bool ended_ = false;
  // By tid. The two live at different times: numbers are looked at on arrival, calls on release.
  absl::flat_hash_map<int32_t, uint64_t> next_seq_;
  absl::flat_hash_map<int32_t, int32_t> pending_nr_;  // calls told of that have not ended
  Totals totals_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_EVENT_STREAM_H_
