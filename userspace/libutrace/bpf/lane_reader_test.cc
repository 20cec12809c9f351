// SPDX-License-Identifier: Apache-2.0
// The rings are plain memory here, so that what programs do on several CPUs can be laid down by
// hand, in any order.
#include "userspace/libutrace/bpf/lane_reader.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/base/unique_fd.h"

namespace utrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kCpus = 3;
constexpr size_t kRing = 4096;
constexpr uint64_t kFuture = uint64_t{1} << 62;

class LaneReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    memory_ = UniqueFd(::memfd_create("lanes", MFD_CLOEXEC));
    const size_t bytes = kCpus * LaneReader::LaneBytes(kRing);
    ASSERT_EQ(::ftruncate(memory_.Get(), static_cast<off_t>(bytes)), 0);
    map_ = static_cast<std::byte*>(
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.Get(), 0));
    ASSERT_NE(map_, MAP_FAILED);
    absl::StatusOr<std::unique_ptr<LaneReader>> reader =
        LaneReader::Map(memory_.Get(), kCpus, kRing);
    ASSERT_TRUE(reader.ok()) << reader.status();
    reader_ = *std::move(reader);
  }

  void TearDown() override { ::munmap(map_, kCpus * LaneReader::LaneBytes(kRing)); }

  observe_lane* Lane(size_t cpu) {
    return reinterpret_cast<observe_lane*>(map_ + cpu * LaneReader::LaneBytes(kRing));
  }

  // As reserve() does; the record's first byte, or null if there is no room.
  std::byte* Reserve(size_t cpu, uint32_t len) {
    observe_lane* const lane = Lane(cpu);
    const size_t size = FrameSize(len);
    if (lane->head + size - lane->tail > kRing) return nullptr;
    std::byte* const frame = reinterpret_cast<std::byte*>(lane + 1) + (lane->head & (kRing - 1));
    EXPECT_TRUE(std::all_of(frame, frame + size, [](std::byte b) { return b == std::byte{0}; }))
        << "room that was not cleared";
    lane->head += size;
    return frame + OBSERVE_FRAME_HEAD;
  }

  static void Commit(std::byte* record, uint64_t ts, uint32_t len) {
    utrace_rec_head head{};
    head.len = len;
    head.ts = ts;
    std::memcpy(record, &head, sizeof(head));
    std::memset(record + sizeof(head), 0xee, len - sizeof(head));
    std::memcpy(record - OBSERVE_FRAME_HEAD, &len, sizeof(len));
  }

  bool Write(size_t cpu, uint64_t ts, uint32_t len = sizeof(utrace_rec_head)) {
    std::byte* const record = Reserve(cpu, len);
    if (record) Commit(record, ts, len);
    return record != nullptr;
  }

  // The times of what one round gives.
  std::vector<uint64_t> Take(size_t limit = 1 << 20) {
    std::vector<uint64_t> times;
    const absl::Status status = ForEachRecord(reader_->Peek(limit), [&](Bytes record) {
      utrace_rec_head head;
      std::memcpy(&head, record.data(), sizeof(head));
      EXPECT_EQ(head.len, record.size());
      times.push_back(head.ts);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    reader_->Consume();
    return times;
  }

  UniqueFd memory_;
  std::byte* map_ = nullptr;
  std::unique_ptr<LaneReader> reader_;
};

TEST_F(LaneReaderTest, GivesFramesOfAllCpusInTheOrderOfTime) {
  Write(0, 10);
  Write(0, 40);
  Write(0, 50);
  Write(1, 20);
  Write(1, 30);
  Write(2, 45, 96);
  EXPECT_THAT(Take(), ElementsAre(10, 20, 30, 40, 45, 50));
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(LaneReaderTest, KeepsTheOrderOfOneCpuWhateverTheTimes) {
  Write(0, 20);
  Write(0, 10);  // by a program that interrupted the first one's
  Write(1, 15);
  EXPECT_THAT(Take(), ElementsAre(15, 20, 10));
}

// A record on CPU 1 may be a thread's whose last one lies behind the unfinished one on CPU 0.
TEST_F(LaneReaderTest, WhatMayFollowAnUnfinishedRecordWaitsForIt) {
  Write(0, 10);
  std::byte* const unfinished = Reserve(0, sizeof(utrace_rec_head));
  Write(0, 30);
  Write(1, 5);
  Write(1, 40);
  EXPECT_THAT(Take(), ElementsAre(5, 10));
  EXPECT_THAT(Take(), IsEmpty());
  Commit(unfinished, 20, sizeof(utrace_rec_head));
  EXPECT_THAT(Take(), ElementsAre(20, 30, 40));
}

// What was written after the heads were read is not known, so nothing of that time is given.
TEST_F(LaneReaderTest, WhatIsLaterThanTheRoundWaits) {
  Write(0, 10);
  Write(1, kFuture);
  EXPECT_THAT(Take(), ElementsAre(10));
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(LaneReaderTest, StopsAboutTheLimit) {
  for (uint64_t i = 0; i < 10; ++i) Write(i % 2, i);
  EXPECT_THAT(Take(1), ElementsAre(0));
  EXPECT_THAT(Take(2 * FrameSize(sizeof(utrace_rec_head))), ElementsAre(1, 2));
  EXPECT_THAT(Take(), ElementsAre(3, 4, 5, 6, 7, 8, 9));
}

// Whatever the sizes, so that frames of all lengths run on beyond the end.
TEST_F(LaneReaderTest, ComesRoundAndRound) {
  uint64_t written = 0;
  uint64_t taken = 0;
  for (int round = 0; round < 300; ++round) {
    const auto len = static_cast<uint32_t>(sizeof(utrace_rec_head) + round % 97 * 8);
    while (Write(0, written, len)) ++written;
    for (const uint64_t ts : Take(static_cast<size_t>(round) * 16)) EXPECT_EQ(ts, taken++);
  }
  for (const uint64_t ts : Take()) EXPECT_EQ(ts, taken++);
  EXPECT_GT(Lane(0)->head, 10 * kRing);
  while (taken < written) {
    for (const uint64_t ts : Take()) EXPECT_EQ(ts, taken++);
  }
  EXPECT_EQ(Lane(0)->tail, Lane(0)->head);
}

TEST_F(LaneReaderTest, SumsWhatWasDropped) {
  Lane(0)->dropped = 3;
  Lane(2)->dropped = 4;
  EXPECT_EQ(reader_->Dropped(), 7u);
}

}  // namespace
}  // namespace utrace
