// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/event_stream.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/time/clock.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/record_parse.h"

namespace utrace {
namespace {

// How far apart the time stamps of records may be that come in the wrong order. A stamp is taken
// just before its place in the ring, so the two differ by little more than an interrupt, or on a
// virtual machine by the time a CPU was taken away.
constexpr uint64_t kReorderWindowNs = 5'000'000;

}  // namespace

absl::StatusOr<std::optional<Event>> EventStream::Next(absl::Duration timeout) {
  if (!Ready() && !ended_) RETURN_IF_ERROR(Fill(timeout));
  if (!Ready()) return std::nullopt;
  std::optional<Event> event(std::move(queue_.front()));
  queue_.pop_front();
  Release(*event);
  return event;
}

bool EventStream::Ready() const {
  if (queue_.empty()) return false;
  return ended_ || settled_ || queue_.front().ts_ns + kReorderWindowNs <= newest_ns_;
}

absl::Status EventStream::Fill(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  do {
    size_t got = 0;
    RETURN_IF_ERROR(source_.Read(std::min(timeout, deadline - absl::Now()), [&](Bytes frames) {
      return ForEachRecord(frames, [&](Bytes record) -> absl::Status {
        ASSIGN_OR_RETURN(std::optional<Event> event, ParseRecord(record));
        if (event) Arrive(*std::move(event));
        ++got;
        return absl::OkStatus();
      });
    }));
    settled_ = got == 0;
    if (got == 0 && source_.AtEnd()) {
      ASSIGN_OR_RETURN(const uint64_t dropped, source_.Dropped());
      Finish(dropped);
      return absl::OkStatus();
    }
    if (got == 0) return absl::OkStatus();
  } while (!Ready());
  return absl::OkStatus();
}

void EventStream::Arrive(Event event) {
  newest_ns_ = std::max(newest_ns_, event.ts_ns);
  if (const auto* lost = std::get_if<LostEvent>(&event.body)) {
    totals_.lost += lost->count;
  } else {
    ++totals_.events;
    NoteGap(event);
  }
  Enqueue(std::move(event));
}

// On arrival, since a thread's own records arrive in order whatever happens to the others.
void EventStream::NoteGap(Event& event) {
  if (!event.numbered) return;
  if (const auto* exec = std::get_if<ExecEvent>(&event.body);
      exec && exec->old_tid != 0 && exec->old_tid != event.tid) {
    // The thread has taken its process's number, and with it goes what we know of it.
    if (auto old = next_seq_.extract(exec->old_tid); old) next_seq_[event.tid] = old.mapped();
  }
  uint64_t& next_seq = next_seq_[event.tid];
  // A record has its number's low half. A lower one than expected is another thread's, whose
  // predecessor's exit was itself lost.
  uint64_t expected = next_seq;
  uint64_t gap = static_cast<uint32_t>(event.seq - expected);
  if (gap >= uint64_t{1} << 31) {
    expected = 0;
    gap = event.seq;
  }
  event.seq = expected + gap;
  if (gap > 0) {
    Event lost;
    lost.ts_ns = event.ts_ns;
    lost.seq = expected;
    lost.pid = event.pid;
    lost.tid = event.tid;
    lost.cpu = event.cpu;
    lost.body = LostEvent{gap};
    totals_.lost += gap;
    Enqueue(std::move(lost));
  }
  next_seq = event.seq + 1;
  if (std::holds_alternative<ExitEvent>(event.body)) next_seq_.erase(event.tid);
}

// Nearly all records arrive in order, so their place is at or near the end.
void EventStream::Enqueue(Event event) {
  auto at = queue_.end();
  while (at != queue_.begin() && std::prev(at)->ts_ns > event.ts_ns) --at;
  queue_.insert(at, std::move(event));
}

// Losses that no later record of their thread has shown.
void EventStream::Finish(uint64_t dropped) {
  ended_ = true;
  if (dropped <= totals_.lost) return;
  Event lost;
  lost.ts_ns = newest_ns_;
  lost.numbered = false;
  lost.body = LostEvent{dropped - totals_.lost};
  totals_.lost = dropped;
  Enqueue(std::move(lost));
}

// In the order of time, since a scan's find arrives before older records that are still in the
// ring.
void EventStream::Release(Event& event) {
  if (const auto* pending = std::get_if<PendingEvent>(&event.body)) {
    pending_nr_[event.tid] = pending->nr;
  } else if (auto* call = std::get_if<SyscallEvent>(&event.body)) {
    call->resumed = EndPending(event.tid, call->nr);
  } else if (auto* exec = std::get_if<ExecEvent>(&event.body)) {
    exec->resumed = EndPending(exec->old_tid ? exec->old_tid : event.tid, exec->nr);
  } else if (std::holds_alternative<ExitEvent>(event.body)) {
    pending_nr_.erase(event.tid);
  }
}

bool EventStream::EndPending(int32_t tid, int32_t nr) {
  const auto it = pending_nr_.find(tid);
  if (it == pending_nr_.end()) return false;
  const bool same = it->second == nr;
  pending_nr_.erase(it);
  return same;
}

}  // namespace utrace
