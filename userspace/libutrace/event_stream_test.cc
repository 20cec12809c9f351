// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/event_stream.h"

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "include/uapi/utrace_records.h"

namespace utrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Records as a ring would give them, one batch per Read.
class Script : public RecordSource {
 public:
  absl::Status Read(absl::Duration, Sink sink) override {
    if (next_ == batches_.size()) return absl::OkStatus();
    const std::string& batch = batches_[next_++];
    return sink(Bytes(reinterpret_cast<const std::byte*>(batch.data()), batch.size()));
  }
  bool AtEnd() const override { return next_ == batches_.size(); }
  absl::StatusOr<uint64_t> Dropped() const override { return dropped_; }

  // An empty batch: the ring had nothing.
  void Pause() { batches_.emplace_back(); }

  void Drop(uint64_t count) { dropped_ += count; }

  template <typename Record>
  void Put(Record record) {
    record.head.len = sizeof(record);
    if (record.head.body == 0) record.head.body = sizeof(record);
    PutBytes(Bytes(reinterpret_cast<const std::byte*>(&record), sizeof(record)));
  }

  void PutBytes(Bytes record) {
    if (batches_.empty()) batches_.emplace_back();
    AppendFrame(record, batches_.back());
  }

 private:
  std::vector<std::string> batches_;
  size_t next_ = 0;
  uint64_t dropped_ = 0;
};

template <typename Record>
Record Make(uint8_t type, uint32_t tid, uint64_t ts, uint32_t seq) {
  Record record{};
  record.head.type = type;
  record.head.tid = record.head.tgid = tid;
  record.head.ts = ts;
  record.head.seq = seq;
  return record;
}

utrace_rec_syscall Call(uint32_t tid, uint64_t ts, uint32_t seq, int nr = 0) {
  auto call = Make<utrace_rec_syscall>(UTRACE_REC_SYSCALL, tid, ts, seq);
  call.nr = nr;
  return call;
}

utrace_rec_syscall Pending(uint32_t tid, uint64_t ts, int nr) {
  utrace_rec_syscall call = Call(tid, ts, 0, nr);
  call.head.type = UTRACE_REC_PENDING;
  call.head.flags = UTRACE_REC_F_UNNUMBERED;
  return call;
}

std::vector<Event> All(EventStream& stream) {
  std::vector<Event> events;
  while (!stream.AtEnd()) {
    absl::StatusOr<std::optional<Event>> event = stream.Next(absl::ZeroDuration());
    EXPECT_TRUE(event.ok()) << event.status();
    if (!event.ok()) break;
    if (*event) events.push_back(**std::move(event));
  }
  return events;
}

std::vector<uint64_t> Times(const std::vector<Event>& events) {
  std::vector<uint64_t> times;
  for (const Event& event : events) times.push_back(event.ts_ns);
  return times;
}

TEST(EventStream, MergesThreadsByTime) {
  Script script;
  script.Put(Call(1, 10, 0));
  script.Put(Call(2, 40, 0));
  script.Put(Call(1, 20, 1));
  script.Put(Call(3, 30, 0));
  EventStream stream(script);
  EXPECT_THAT(Times(All(stream)), ElementsAre(10, 20, 30, 40));
  EXPECT_EQ(stream.GetTotals().events, 4u);
  EXPECT_EQ(stream.GetTotals().lost, 0u);
}

TEST(EventStream, HoldsBackWhatMayBeOvertaken) {
  Script script;
  script.Put(Call(1, 1'000'000, 0));
  script.Put(Call(1, 9'000'000, 1));
  script.Pause();
  script.Put(Call(2, 8'000'000, 0));
  EventStream stream(script);
  // The first is old enough; the second waits until the ring was found empty or time went on.
  ASSERT_TRUE(stream.Next(absl::ZeroDuration())->has_value());
  EXPECT_EQ(stream.Next(absl::ZeroDuration()).value()->ts_ns, 8'000'000u);
}

TEST(EventStream, AGapIsALossAtItsPlace) {
  Script script;
  script.Put(Call(1, 10, 0));
  script.Put(Call(2, 15, 0));
  script.Put(Call(1, 20, 4));
  script.Drop(3);
  EventStream stream(script);
  const std::vector<Event> events = All(stream);
  ASSERT_EQ(events.size(), 4u);
  const auto* lost = std::get_if<LostEvent>(&events[2].body);
  ASSERT_NE(lost, nullptr);
  EXPECT_EQ(lost->count, 3u);
  EXPECT_EQ(events[2].tid, 1);
  EXPECT_EQ(stream.GetTotals().lost, 3u);
  EXPECT_EQ(stream.GetTotals().events, 3u);
}

TEST(EventStream, ALossNoRecordFollowedComesLast) {
  Script script;
  script.Put(Call(1, 10, 0));
  script.Put(Call(1, 20, 3));
  script.Drop(7);
  EventStream stream(script);
  const std::vector<Event> events = All(stream);
  ASSERT_EQ(events.size(), 4u);
  const auto* lost = std::get_if<LostEvent>(&events.back().body);
  ASSERT_NE(lost, nullptr);
  EXPECT_EQ(lost->count, 5u);
  EXPECT_EQ(events.back().tid, 0);
  EXPECT_EQ(stream.GetTotals().lost, 7u);
}

TEST(EventStream, NumbersGoOnPastTheirLowHalf) {
  Script script;
  uint32_t seq = 0;
  for (int i = 0; i < 5; ++i, seq += 0x40000000) script.Put(Call(1, 10 + i, seq));
  EventStream stream(script);
  const std::vector<Event> events = All(stream);
  EXPECT_EQ(events.back().seq, uint64_t{1} << 32);
  EXPECT_EQ(stream.GetTotals().lost, (uint64_t{1} << 32) - 4);
}

TEST(EventStream, ATidUsedAgainStartsAnew) {
  Script script;
  script.Put(Call(1, 10, 0));
  script.Put(Make<utrace_rec_exit>(UTRACE_REC_EXIT, 1, 11, 1));
  script.Put(Call(1, 20, 0));
  script.Put(Call(1, 21, 1));
  // Of this one even the exit was lost.
  script.Put(Call(1, 30, 0));
  EventStream stream(script);
  All(stream);
  EXPECT_EQ(stream.GetTotals().lost, 0u);
}

TEST(EventStream, ExecMovesAThreadsNumbers) {
  Script script;
  script.Put(Call(7, 10, 0));
  auto exec = Make<utrace_rec_exec>(UTRACE_REC_EXEC, 5, 20, 1);
  exec.old_tid = 7;
  script.Put(exec);
  script.Put(Call(5, 30, 2));
  EventStream stream(script);
  All(stream);
  EXPECT_EQ(stream.GetTotals().lost, 0u);
}

TEST(EventStream, ACallToldOfComesBackResumedWhateverIsBetween) {
  Script script;
  // The scan's find comes first, though an older record is still on its way.
  script.Put(Pending(1, 20, 7));
  script.Put(Call(1, 10, 0, 7));
  script.Put(Make<utrace_rec_signal>(UTRACE_REC_SIGNAL, 1, 25, 1));
  script.Put(Call(2, 26, 0, 7));
  script.Put(Call(1, 30, 2, 7));
  script.Put(Call(1, 40, 3, 7));
  EventStream stream(script);
  std::vector<bool> resumed;
  for (const Event& event : All(stream)) {
    if (const auto* call = std::get_if<SyscallEvent>(&event.body)) resumed.push_back(call->resumed);
  }
  EXPECT_THAT(resumed, ElementsAre(false, false, true, false));
}

TEST(EventStream, ArgumentsLeftOutAreZero) {
  Script script;
  utrace_rec_syscall call = Call(1, 10, 0);
  call.head.body = offsetof(utrace_rec_syscall, args) + 8;
  call.args[0] = 3;
  call.args[1] = 99;
  script.Put(call);
  EventStream stream(script);
  const std::vector<Event> events = All(stream);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_THAT(std::get<SyscallEvent>(events[0].body).args, ElementsAre(3, 0, 0, 0, 0, 0));
}

TEST(EventStream, UnknownTypesAreSkippedAndForeignOnesRefused) {
  Script script;
  script.Put(Make<utrace_rec_exit>(200, 1, 10, 0));
  utrace_rec_syscall call = Call(1, 10, 0);
  call.head.payloads = 1;
  script.Put(call);
  EventStream stream(script);
  const absl::StatusOr<std::optional<Event>> event = stream.Next(absl::ZeroDuration());
  EXPECT_THAT(std::string(event.status().message()), HasSubstr("payload is cut short"));
}

}  // namespace
}  // namespace utrace
