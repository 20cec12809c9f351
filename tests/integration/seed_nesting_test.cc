// SPDX-License-Identifier: Apache-2.0
// SEED-13: in nested mode an engine's hold is over before the next engine is called, and while the
// thread sleeps there, in the middle of the pass, the list of its engines may change at will.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "tests/integration/device.h"
#include "tests/integration/seed.h"

namespace utrace::test {
namespace {

using Calls = std::vector<std::string>;

// The second holds the thread at a call's entry, where it is called first.
class SeedNested : public SeedTest {
 protected:
  void Attach(Seed& engine, uint32_t events, bool nested = false) {
    ASSERT_EQ(engine.Attach(puppet_.pid(), nested), 0);
    ASSERT_EQ(engine.SetEvents(events), 0);
  }
  void HoldBetween(uint32_t first_hears = kEntry | kExit) {
    Attach(a_, first_hears, true);
    Attach(b_, kEntry | kExit);
    b_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
    puppet_.Call(SYS_getppid);
    ASSERT_TRUE(Eventually([&] { return b_.held() != 0 && b_.asleep(); }));
    ASSERT_EQ(SeedCalls(), (Calls{"2 entry"})) << "the first is not called yet";
    EXPECT_TRUE(puppet_.Rests());
  }
  void ResumeSecond() { EXPECT_EQ(b_.Resume(b_.held()), 0); }
  // A parent may have reaped it before: it is told after its parent is.
  static void AwaitDeath() {
    EXPECT_TRUE(Eventually([] {
      const Calls calls = SeedCalls();
      return !calls.empty() && calls.back() == "2 death";
    }));
  }

  Puppet puppet_;
  // 1 and 2, by which the log calls them.
  Seed a_;
  Seed b_;
};

TEST_F(SeedNested, Seed13AHoldIsOverBeforeTheNextIsCalled) {
  HoldBetween();
  a_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
  ResumeSecond();
  ASSERT_TRUE(Eventually([&] { return a_.held() != 0 && a_.asleep(); }));
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry"}));
  EXPECT_EQ(b_.held(), 0u);
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(a_.Resume(a_.held()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "1 exit", "2 exit"}));
}

// Who asks for it, the first or the last, is the same; and when it goes the mode goes with it.
TEST_F(SeedNested, Seed13TheModeLastsAsLongAsWhoAskedForIt) {
  Seed c;
  Attach(a_, kExit);
  Attach(b_, kExit);
  Attach(c, 0, true);
  a_.Answer(UTRACE_EVENT_BIT_SYSCALL_EXIT, UTRACE_STOP);
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(Eventually([&] { return a_.held() != 0 && a_.asleep(); }));
  EXPECT_EQ(SeedCalls(), (Calls{"1 exit"}));
  EXPECT_EQ(c.Control(UTRACE_DETACH), 0);
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(a_.Resume(a_.held()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(Eventually([&] { return a_.held() != 0 && a_.asleep(); }));
  EXPECT_EQ(SeedCalls(), (Calls{"1 exit", "2 exit", "1 exit", "2 exit"}));
  EXPECT_EQ(a_.Resume(a_.held()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
}

// Let go before it has fallen asleep, it does not.
TEST_F(SeedNested, Seed13AReleaseIsInTimeHoweverEarly) {
  for (const char* point : {"cb-out", "pre-sleep"}) {
    Seed first;
    Seed second;
    Puppet puppet;
    Gates gates(puppet.pid());
    ASSERT_EQ(first.Attach(puppet.pid(), true), 0);
    ASSERT_EQ(second.Attach(puppet.pid()), 0);
    ASSERT_EQ(first.SetEvents(kEntry), 0);
    ASSERT_EQ(second.SetEvents(kEntry), 0);
    second.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
    gates.Arm(point);
    puppet.Call(SYS_getppid);
    ASSERT_TRUE(gates.Parked(point)) << point;
    EXPECT_EQ(second.Resume(second.report()), 0) << point;
    gates.Open(point);
    EXPECT_TRUE(puppet.GetsDone()) << point;
  }
}

TEST_F(SeedNested, Seed13aWhoHoldsLeaves) {
  HoldBetween();
  EXPECT_EQ(b_.Control(UTRACE_DETACH), 0);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "1 exit"}));
}

TEST_F(SeedNested, Seed13bTheNextLeaves) {
  HoldBetween();
  EXPECT_EQ(a_.Control(UTRACE_DETACH), 0);
  EXPECT_TRUE(puppet_.Rests()) << "the other holds it still";
  ResumeSecond();
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "2 exit"}));
}

TEST_F(SeedNested, Seed13cBothLeave) {
  HoldBetween();
  EXPECT_EQ(a_.Control(UTRACE_DETACH), 0);
  EXPECT_EQ(b_.Control(UTRACE_DETACH), 0);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(puppet_.result(), getpid()) << "the call was run";
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry"}));
  ASSERT_EQ(SeedCommand("work " + std::to_string(puppet_.pid())), 0);
  EXPECT_EQ(SeedLog().back().value, 0) << "none of our flags is left";
}

// The other way round: the last to leave is who had not been called.
TEST_F(SeedNested, Seed13cBothLeaveTheHolderFirst) {
  Gates gates(puppet_.pid());
  HoldBetween();
  gates.Arm("cb-in");
  EXPECT_EQ(b_.Control(UTRACE_DETACH), 0);
  ASSERT_TRUE(gates.Parked("cb-in"));
  EXPECT_EQ(a_.Control(UTRACE_DETACH), -EINPROGRESS) << "its turn has come";
  gates.Open("cb-in");
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry"}));
}

TEST_F(SeedNested, Seed13dWhoComesHearsNothingOfThisPass) {
  Seed c;
  HoldBetween();
  Attach(c, kEntry | kExit);
  ResumeSecond();
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "1 exit", "2 exit", "3 exit"}));
}

// At the end of a call, where the pass goes forward: whoever comes would be next.
TEST_F(SeedNested, Seed13dNorAtTheEndOfTheList) {
  Seed c;
  Attach(a_, kExit, true);
  Attach(b_, kExit);
  b_.Answer(UTRACE_EVENT_BIT_SYSCALL_EXIT, UTRACE_STOP);
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(Eventually([&] { return b_.held() != 0 && b_.asleep(); }));
  Attach(c, kExit, true);
  ResumeSecond();
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"1 exit", "2 exit"}));
}

// Whoever asks for the mode meanwhile does not change the pass that runs.
TEST_F(SeedNested, Seed13dNorIsThisPassNestedForIt) {
  Gates gates(puppet_.pid());
  Seed c;
  Attach(a_, kEntry);
  Attach(b_, kEntry);
  b_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
  gates.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(gates.Parked("cb-in"));
  Attach(c, 0, true);
  gates.Open("cb-in");
  ASSERT_TRUE(Eventually([&] { return b_.held() != 0 && b_.asleep(); }));
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry"}));
  ResumeSecond();
  EXPECT_TRUE(puppet_.GetsDone());
}

TEST_F(SeedNested, Seed13fAKilledCallIsNotRunAndNotTold) {
  HoldBetween(kEntry | kExit | UTRACE_EVENT(DEATH));
  ASSERT_EQ(b_.SetEvents(kEntry | kExit | UTRACE_EVENT(DEATH)), 0);
  ASSERT_EQ(kill(puppet_.pid(), SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(puppet_.pid(), &status, 0), puppet_.pid());
  puppet_.Forget();
  EXPECT_EQ(status, SIGKILL);
  AwaitDeath();
  // Who was not told that it begins is not told that it ends.
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "2 exit", "1 death", "2 death"}));
}

TEST_F(SeedNested, Seed13gTheNextsOwnStopCounts) {
  HoldBetween();
  EXPECT_EQ(a_.Stop(), 0) << "it sleeps";
  ResumeSecond();
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry"}));
  EXPECT_EQ(a_.Resume(a_.stopped()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "1 exit", "2 exit"}));
}

// Nor is what was decided lost, if it was before the thread has fallen asleep.
TEST_F(SeedNested, Seed13AVerdictIsInTimeHoweverEarly) {
  for (const char* point : {"cb-out", "pre-sleep"}) {
    Puppet puppet;
    Gates gates(puppet.pid());
    Device inner = Device::Open();
    Device outer = Device::Open();
    ASSERT_GT(inner.AttachForCalls(puppet.pid(), kEntry, {SYS_getppid}, UTRACE_TARGET_NESTED), 0);
    ASSERT_GT(outer.AttachForCalls(puppet.pid(), kEntry, {SYS_getppid}), 0);
    gates.Arm(point);
    puppet.Call(SYS_getppid);
    ASSERT_TRUE(gates.Parked(point)) << point;
    const utrace_notice first = outer.Next();
    ASSERT_EQ(first.type, UTRACE_NOTICE_HELD) << ToString(first);
    utrace_answer skip =
        AnswerTo(first, static_cast<uint32_t>(UTRACE_RESUME) | UTRACE_SYSCALL_ABORT);
    skip.flags = UTRACE_ANSWER_SET_RESULT;
    skip.result = 4711;
    ASSERT_EQ(outer.Answer(skip), 0);
    gates.Open(point);
    const utrace_notice second = inner.Next();
    EXPECT_EQ(second.flags, UTRACE_NOTICE_DECIDED) << point;
    EXPECT_EQ(inner.Resume(second), 0);
    EXPECT_TRUE(puppet.GetsDone()) << point;
    EXPECT_EQ(puppet.result(), 4711) << point;
  }
}

// Killed when it is told again, it was told to all before, and so is its end.
TEST_F(SeedNested, Seed13fKilledWhenItIsToldAgain) {
  constexpr uint32_t kHears = kEntry | kExit | UTRACE_EVENT(DEATH);
  Attach(a_, kHears, true);
  Attach(b_, kHears);
  for (Seed* engine : {&a_, &b_}) {
    engine->Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
  }
  puppet_.Call(SYS_getppid);
  for (Seed* engine : {&b_, &a_}) {
    ASSERT_TRUE(Eventually([&] { return engine->held() != 0 && engine->asleep(); }));
    EXPECT_EQ(engine->Control(UTRACE_REPORT), 0);
    EXPECT_EQ(engine->Resume(engine->held()), 0);
  }
  ASSERT_TRUE(Eventually([&] { return b_.held() != 0 && b_.asleep(); }));
  ASSERT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "2 entry"}));
  ASSERT_EQ(kill(puppet_.pid(), SIGKILL), 0);
  ASSERT_EQ(waitpid(puppet_.pid(), nullptr, 0), puppet_.pid());
  puppet_.Forget();
  AwaitDeath();
  EXPECT_EQ(SeedCalls(),
            (Calls{"2 entry", "1 entry", "2 entry", "1 exit", "2 exit", "1 death", "2 death"}));
}

// What the one that is called next sees is what the hold has left.
TEST_F(SeedNested, Seed13TheNextFindsNoWishOfWhoHasLetGo) {
  HoldBetween();
  b_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_RESUME);
  EXPECT_EQ(b_.Control(UTRACE_REPORT), 0);
  ResumeSecond();
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedLog().at(1).value, UTRACE_RESUME);
  // Whoever asked to be told again is, and only he.
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "2 entry", "1 exit", "2 exit"}));
}

}  // namespace
}  // namespace utrace::test
