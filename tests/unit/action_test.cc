// SPDX-License-Identifier: Apache-2.0
// The arithmetic of numbers and actions, in user space: what the stop rule rests on.
#include <gtest/gtest.h>

extern "C" {
#include "../../kmod/action.h"
}

namespace {

constexpr __u64 Report(__u64 counter) { return counter << 1 | UTRACE_SLOT_REPORT; }

TEST(UtraceSeq, NamesItsSlot) {
  EXPECT_EQ(UTRACE_SEQ_SLOT(utrace_seq(7, UTRACE_SLOT_REPORT)), UTRACE_SLOT_REPORT);
  EXPECT_EQ(UTRACE_SEQ_SLOT(utrace_seq(7, UTRACE_SLOT_ASYNC)), UTRACE_SLOT_ASYNC);
  EXPECT_LT(utrace_seq(7, UTRACE_SLOT_ASYNC), utrace_seq(8, UTRACE_SLOT_REPORT));
}

TEST(UtraceSlot, IsClosedWhenNew) {
  utrace_slot slot{};
  EXPECT_FALSE(utrace_slot_open(&slot));
  EXPECT_FALSE(utrace_slot_handed(&slot, 0));
  EXPECT_FALSE(utrace_slot_handed(&slot, Report(1)));
}

TEST(UtraceSlot, StopHoldsUntilItsOwnAnswer) {
  utrace_slot slot{};
  utrace_slot_hand(&slot, Report(3));
  utrace_slot_stop(&slot, Report(3));
  EXPECT_TRUE(utrace_slot_open(&slot));
  EXPECT_EQ(utrace_slot_release(&slot, Report(3)), 0);
  EXPECT_FALSE(utrace_slot_open(&slot));
}

TEST(UtraceSlot, EarlyAnswerCancelsTheStopItAnswers) {
  utrace_slot slot{};
  utrace_slot_hand(&slot, Report(3));
  EXPECT_EQ(utrace_slot_release(&slot, Report(3)), 0);
  utrace_slot_stop(&slot, Report(3));
  EXPECT_FALSE(utrace_slot_open(&slot));
}

TEST(UtraceSlot, StaleAnswerReleasesNoLaterStop) {
  utrace_slot slot{};
  utrace_slot_hand(&slot, Report(3));
  utrace_slot_hand(&slot, Report(5));
  utrace_slot_stop(&slot, Report(5));
  EXPECT_EQ(utrace_slot_release(&slot, Report(3)), 0);
  EXPECT_TRUE(utrace_slot_open(&slot));
  EXPECT_EQ(utrace_slot_release(&slot, Report(5)), 0);
  EXPECT_FALSE(utrace_slot_open(&slot));
}

TEST(UtraceSlot, AnOlderStopNeverClosesANewerOne) {
  utrace_slot slot{};
  utrace_slot_hand(&slot, Report(3));
  utrace_slot_hand(&slot, Report(5));
  utrace_slot_stop(&slot, Report(5));
  utrace_slot_stop(&slot, Report(3));
  EXPECT_EQ(slot.stop_seq, Report(5));
}

TEST(UtraceSlot, RefusesWhatItWasNeverHanded) {
  utrace_slot slot{};
  utrace_slot_hand(&slot, Report(4));
  utrace_slot_hand(&slot, Report(8));
  utrace_slot_stop(&slot, Report(8));
  for (__u64 counter : {1, 3, 5, 6, 7, 9, 1000}) {
    EXPECT_EQ(utrace_slot_release(&slot, Report(counter)), -ERANGE) << counter;
  }
  EXPECT_EQ(utrace_slot_release(&slot, ~0ull), -ERANGE);
  EXPECT_EQ(slot.go_seq, 0u);
  EXPECT_TRUE(utrace_slot_open(&slot));
}

TEST(UtraceSlot, KnowsItsNumbersOverTheWholeWindow) {
  utrace_slot slot{};
  for (__u64 counter = 1; counter <= 200; counter += 3) utrace_slot_hand(&slot, Report(counter));
  const __u64 last = 199;
  for (__u64 steps = 0; steps < 64; ++steps) {
    EXPECT_EQ(utrace_slot_handed(&slot, Report(last - steps)), steps % 3 == 0) << steps;
  }
}

TEST(UtraceSlot, KnowsTheNumberItIsHeldForHoweverOld) {
  utrace_slot slot{};
  utrace_slot_hand(&slot, Report(1));
  utrace_slot_stop(&slot, Report(1));
  utrace_slot_hand(&slot, Report(500));
  EXPECT_FALSE(utrace_slot_handed(&slot, Report(2)));
  EXPECT_EQ(utrace_slot_release(&slot, Report(1)), 0);
  EXPECT_FALSE(utrace_slot_open(&slot));
  // Released already: an old answer, repeated, changes nothing.
  EXPECT_EQ(utrace_slot_release(&slot, Report(1)), 0);
}

TEST(UtraceSlot, LatestMeansWhatWasPublishedByNow) {
  utrace_slot slot{};
  utrace_slot_hand(&slot, Report(3));
  utrace_slot_release_latest(&slot);
  utrace_slot_stop(&slot, Report(3));
  EXPECT_FALSE(utrace_slot_open(&slot));
  utrace_slot_hand(&slot, Report(4));
  utrace_slot_stop(&slot, Report(4));
  EXPECT_TRUE(utrace_slot_open(&slot));
}

TEST(UtraceMerge, SmallestWishPrevails) {
  EXPECT_EQ(utrace_merge(UTRACE_RESUME, UTRACE_STOP), unsigned{UTRACE_STOP});
  EXPECT_EQ(utrace_merge(UTRACE_REPORT, UTRACE_INTERRUPT), unsigned{UTRACE_INTERRUPT});
  EXPECT_EQ(utrace_merge(unsigned{UTRACE_RESUME} | UTRACE_SYSCALL_ABORT, UTRACE_REPORT),
            unsigned{UTRACE_REPORT});
}

}  // namespace
