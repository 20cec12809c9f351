// SPDX-License-Identifier: Apache-2.0
// A thread with many engines, of which a pass calls those that hear without a look at the others.
#include <sys/syscall.h>

#include <cerrno>
#include <deque>

#include "tests/integration/seed.h"

namespace utrace::test {
namespace {

using Calls = std::vector<std::string>;

// More passes without a change than kmod/roster.h asks for.
constexpr int kQuiet = 20;

class SeedRoster : public SeedTest {
 protected:
  // Engines 1 to 6: 2 and 5 hear of a call's entry, 3 and 5 of its end, the others of nothing.
  void SetUp() override {
    for (Seed& engine : engines_) ASSERT_EQ(engine.Attach(puppet_.pid()), 0);
    Hear(2, kEntry);
    Hear(3, kExit);
    Hear(5, kEntry | kExit);
    for (int i = 0; i < kQuiet; ++i) MakeCall();
    told_ = SeedCalls().size();
    ASSERT_EQ(told_, 4u * kQuiet);
  }
  Seed& Engine(unsigned id) { return engines_.at(id - 1); }
  void Hear(unsigned id, uint32_t events) { ASSERT_EQ(Engine(id).SetEvents(events), 0) << id; }
  void MakeCall() {
    puppet_.Call(SYS_getppid);
    EXPECT_TRUE(puppet_.GetsDone());
  }
  // What was told since the last time.
  Calls Told() {
    Calls all = SeedCalls();
    Calls news(all.begin() + static_cast<ptrdiff_t>(told_), all.end());
    told_ = all.size();
    return news;
  }

  Puppet puppet_;
  std::deque<Seed> engines_{6};
  size_t told_ = 0;
};

TEST_F(SeedRoster, Seed12TheOrderIsThatOfTheList) {
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"5 entry", "2 entry", "3 exit", "5 exit"}));
}

TEST_F(SeedRoster, WhatIsAskedForLaterIsHeardAtOnce) {
  Hear(1, kEntry);
  Hear(6, kExit);
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"5 entry", "2 entry", "1 entry", "3 exit", "5 exit", "6 exit"}));
  Hear(5, kExit);
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"2 entry", "1 entry", "3 exit", "5 exit", "6 exit"}));
}

TEST_F(SeedRoster, WhoComesHearsOfTheNextEvent) {
  Seed late;
  ASSERT_EQ(late.Attach(puppet_.pid()), 0);
  // It is among the others by now, and hears of nothing.
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"5 entry", "2 entry", "3 exit", "5 exit"}));
  ASSERT_EQ(late.SetEvents(kEntry), 0);
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"7 entry", "5 entry", "2 entry", "3 exit", "5 exit"}));
}

// One that leaves in its callback, on the way in and on the way out: the rest have their turn.
TEST_F(SeedRoster, WhoLeavesLeavesTheOthersTheirTurn) {
  Engine(5).Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_DETACH);
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"5 entry", "2 entry", "3 exit"}));
  Hear(4, kExit);
  for (int i = 0; i < kQuiet; ++i) MakeCall();
  Told();
  Engine(3).Answer(UTRACE_EVENT_BIT_SYSCALL_EXIT, UTRACE_DETACH);
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"2 entry", "3 exit", "4 exit"}));
}

// QUIESCE comes before each event, and near user mode, where there is none.
TEST_F(SeedRoster, QuiesceIsHeardAtEachEvent) {
  Hear(4, UTRACE_EVENT(QUIESCE));
  Hear(5, kExit);
  for (int i = 0; i < kQuiet; ++i) MakeCall();
  Told();
  MakeCall();
  EXPECT_EQ(Told(), (Calls{"4 quiesce", "2 entry", "3 exit", "4 quiesce", "5 exit"}));
  EXPECT_EQ(Engine(4).Control(UTRACE_REPORT), 0);
  ASSERT_TRUE(Eventually([this] { return SeedCalls().size() > told_; }));
  EXPECT_EQ(Told(), (Calls{"4 quiesce"}));
}

// In the middle of a pass another one asks for what is told just now, and then has its turn too.
TEST_F(SeedRoster, WhatIsAskedForInTheMiddleIsHeardInThisPass) {
  Gates gates(puppet_.pid());
  gates.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(gates.Parked("cb-in"));
  Hear(1, kEntry);
  EXPECT_EQ(Engine(2).SetEvents(0), 0);
  gates.Open("cb-in");
  ASSERT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(Told(), (Calls{"5 entry", "1 entry", "3 exit", "5 exit"}));
}

}  // namespace
}  // namespace utrace::test
