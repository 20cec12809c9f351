// SPDX-License-Identifier: Apache-2.0
// SEED-12, SEED-16 to SEED-20, SEED-22 and H-1: who hears of what, however the moment is chosen.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "tests/integration/seed.h"

namespace utrace::test {
namespace {

using Calls = std::vector<std::string>;

class SeedPass : public SeedTest {
 protected:
  void Attach(Seed& engine, uint32_t events) {
    ASSERT_EQ(engine.Attach(puppet_.pid()), 0);
    ASSERT_EQ(engine.SetEvents(events), 0);
  }
  void MakeCall(long nr = SYS_getppid) {
    puppet_.Call(nr);
    EXPECT_TRUE(puppet_.GetsDone());
  }
  void Parked(const std::string& point) { ASSERT_TRUE(gates_.Parked(point)) << point; }
  // Of this engine, how often @what.
  static long Heard(const Seed& engine, const std::string& what) {
    long count = 0;
    for (const SeedLine& line : SeedLog()) count += line.id == engine.id() && line.what == what;
    return count;
  }

  Puppet puppet_;
  // 1 and 2, by which the log calls them.
  Seed a_;
  Seed b_;
  Gates gates_{puppet_.pid()};
};

TEST_F(SeedPass, Seed12TheLastAttachedIsClosestToTheProgram) {
  Attach(a_, kEntry | kExit);
  Attach(b_, kEntry | kExit);
  b_.ChangeCall(SYS_getpid);
  a_.ChangeResult(4711);
  MakeCall(SYS_getppid);
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "1 exit", "2 exit"}));
  const std::vector<SeedLine> log = SeedLog();
  ASSERT_EQ(log.size(), 4u);
  EXPECT_EQ(log[0].nr, SYS_getppid) << "the program's view";
  EXPECT_EQ(log[1].nr, SYS_getpid) << "what the later engine made of it";
  EXPECT_EQ(log[2].value, puppet_.pid()) << "the kernel's answer to the changed call";
  EXPECT_EQ(log[3].value, 4711) << "what the earlier engine made of that";
  EXPECT_EQ(puppet_.result(), 4711);
}

// One that leaves in its callback, on the way in and on the way out.
TEST_F(SeedPass, Seed12WhoLeavesLeavesTheOthersTheirTurn) {
  Seed c;
  Attach(a_, kEntry | kExit);
  Attach(b_, kEntry | kExit);
  Attach(c, kEntry | kExit);
  b_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_DETACH);
  a_.Answer(UTRACE_EVENT_BIT_SYSCALL_EXIT, UTRACE_DETACH);
  MakeCall();
  EXPECT_EQ(SeedCalls(), (Calls{"3 entry", "2 entry", "1 entry", "1 exit", "3 exit"}));
}

// A signal goes from engine to engine as each leaves it, and what it is told as does not change.
TEST_F(SeedPass, ASignalIsToldAsTheEngineBeforeLeftIt) {
  constexpr uint32_t kEnd = UTRACE_EVENT(SIGNAL_TERM);
  constexpr uint32_t kDrop =
      static_cast<uint32_t>(UTRACE_RESUME) | static_cast<uint32_t>(UTRACE_SIGNAL_IGN);
  Attach(a_, kEnd);
  Attach(b_, kEnd);
  a_.ChangeResult(SIGUSR2);
  b_.Answer(UTRACE_EVENT_BIT_SIGNAL_TERM, kDrop);
  ASSERT_EQ(kill(puppet_.pid(), SIGUSR1), 0);
  ASSERT_TRUE(Eventually([] { return SeedLog().size() == 2; }));
  const std::vector<SeedLine> log = SeedLog();
  EXPECT_EQ(SeedCalls(), (Calls{"1 signal", "2 signal"}));
  EXPECT_EQ(log[0].nr, SIGUSR1);
  EXPECT_EQ(log[1].nr, SIGUSR2);
  EXPECT_EQ(log[1].value, UTRACE_EVENT_BIT_SIGNAL_TERM);
  MakeCall();
  // Left as it is by the second, it is what the first made of it.
  b_.Answer(UTRACE_EVENT_BIT_SIGNAL_TERM, UTRACE_RESUME);
  ASSERT_EQ(kill(puppet_.pid(), SIGUSR1), 0);
  int status = 0;
  ASSERT_EQ(waitpid(puppet_.pid(), &status, 0), puppet_.pid());
  puppet_.Forget();
  EXPECT_EQ(status, SIGUSR2);
}

// And the code of an exit.
TEST_F(SeedPass, AnExitCodeIsToldAsTheEngineBeforeLeftIt) {
  Attach(a_, UTRACE_EVENT(EXIT));
  Attach(b_, UTRACE_EVENT(EXIT));
  a_.ChangeResult(3 << 8);
  b_.ChangeResult(4 << 8);
  puppet_.Call(SYS_exit_group, 2);
  int status = 0;
  ASSERT_EQ(waitpid(puppet_.pid(), &status, 0), puppet_.pid());
  puppet_.Forget();
  EXPECT_EQ(status, 4 << 8) << "the last one called decides";
  const std::vector<SeedLine> log = SeedLog();
  ASSERT_EQ(SeedCalls(), (Calls{"1 exiting", "2 exiting"}));
  EXPECT_EQ(log[1].nr, 2 << 8) << "what it was at first";
  EXPECT_EQ(log[1].value, 3 << 8) << "what it is by now";
}

// Let go before the callback that holds it is over, it does not stay: the signal is delivered.
TEST_F(SeedPass, ASignalsHoldIsReleasedHoweverEarly) {
  for (const char* point : {"cb-out", "applied", "pre-sleep"}) {
    Seed engine;
    Puppet puppet;
    Gates gates(puppet.pid());
    ASSERT_EQ(engine.Attach(puppet.pid()), 0);
    ASSERT_EQ(engine.SetEvents(UTRACE_EVENT(SIGNAL_TERM)), 0);
    engine.Answer(UTRACE_EVENT_BIT_SIGNAL_TERM, UTRACE_STOP);
    gates.Arm(point);
    ASSERT_EQ(kill(puppet.pid(), SIGTERM), 0);
    ASSERT_TRUE(gates.Parked(point)) << point;
    EXPECT_EQ(engine.Resume(engine.report()), 0) << point;
    gates.Open(point);
    int status = 0;
    ASSERT_EQ(waitpid(puppet.pid(), &status, 0), puppet.pid());
    puppet.Forget();
    EXPECT_EQ(status, SIGTERM) << point;
  }
}

// A thread at the note: its work is taken, nothing is decided.
class SeedNote : public SeedPass {
 protected:
  void ParkWithNote() {
    ASSERT_EQ(a_.Attach(puppet_.pid()), 0);
    gates_.Arm("note-taken");
    ASSERT_EQ(a_.Control(UTRACE_INTERRUPT), 0);
    Parked("note-taken");
  }
  void ExpectStops(Seed& engine) {
    // It runs, and may be asleep before the call looks.
    const int result = engine.Stop();
    EXPECT_TRUE(result == 0 || result == -EINPROGRESS) << result;
    EXPECT_TRUE(Eventually([&] { return engine.asleep(); }));
    EXPECT_EQ(engine.Resume(engine.stopped()), 0);
    EXPECT_TRUE(puppet_.Runs());
  }
};

TEST_F(SeedNote, Seed16AFirstAttachTakesNoNote) {
  ParkWithNote();
  EXPECT_EQ(a_.Control(UTRACE_DETACH), 0);
  ASSERT_EQ(b_.Attach(puppet_.pid()), 0);
  gates_.Open("note-taken");
  EXPECT_TRUE(puppet_.Runs());
  ExpectStops(b_);
}

TEST_F(SeedNote, Seed16AStopBesideANoteThatWasTakenIsAnswered) {
  ParkWithNote();
  ASSERT_EQ(b_.Attach(puppet_.pid()), 0);
  EXPECT_EQ(b_.Stop(), -EINPROGRESS);
  gates_.Open("note-taken");
  EXPECT_TRUE(Eventually([&] { return b_.asleep(); }));
  EXPECT_EQ(b_.Resume(b_.stopped()), 0);
  EXPECT_TRUE(puppet_.Runs());
  ExpectStops(b_);
}

// Asked for when the pass that could have answered it is over.
TEST_F(SeedNote, Seed16AReportAskedForAfterThePassComes) {
  ParkWithNote();
  gates_.Arm("applied");
  gates_.Open("note-taken");
  Parked("applied");
  ASSERT_EQ(b_.Attach(puppet_.pid()), 0);
  ASSERT_EQ(b_.SetEvents(UTRACE_EVENT(QUIESCE)), 0);
  EXPECT_EQ(b_.Control(UTRACE_REPORT), 0);
  EXPECT_EQ(Heard(b_, "quiesce"), 0);
  gates_.Open("applied");
  EXPECT_TRUE(Eventually([&] { return Heard(b_, "quiesce") == 1; }));
}

// Controllers come and go and stop the thread, each while another has it come by, once: whoever
// comes by for the other's sake must not take the stop's note with it.
TEST_F(SeedPass, Seed17NoStopIsLostBesideAComingBy) {
  constexpr int kRounds = 300;
  ASSERT_EQ(a_.Attach(puppet_.pid()), 0);
  std::atomic<int> round = 0;
  std::thread kicker([&] {
    for (int seen = 0; seen != kRounds;) {
      if (round == seen) continue;
      ++seen;
      a_.Control(UTRACE_INTERRUPT);
    }
  });
  int answered = 0;
  for (int i = 0; i < kRounds; ++i) {
    Seed engine;
    EXPECT_EQ(engine.Attach(puppet_.pid()), 0);
    ++round;
    const int result = engine.Stop();
    EXPECT_TRUE(result == 0 || result == -EINPROGRESS) << result;
    answered += Eventually([&] { return engine.asleep(); }, answered == i ? 10'000 : 0);
  }
  kicker.join();
  EXPECT_EQ(answered, kRounds);
  EXPECT_TRUE(puppet_.Runs());
}

TEST_F(SeedPass, Seed18WhoComesDuringAPassHearsNothingOfIt) {
  Attach(a_, kExit);
  gates_.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  Parked("cb-in");
  Attach(b_, kExit);
  gates_.Open("cb-in");
  ASSERT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"1 exit"}));
  MakeCall();
  EXPECT_EQ(SeedCalls(), (Calls{"1 exit", "1 exit", "2 exit"}));
}

// The other end of the list, where entry begins.
TEST_F(SeedPass, Seed18WhoComesAtEntryHearsOfTheExit) {
  Attach(a_, kEntry | kExit);
  gates_.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  Parked("cb-in");
  Attach(b_, kEntry | kExit);
  gates_.Open("cb-in");
  ASSERT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"1 entry", "1 exit", "2 exit"}));
}

TEST_F(SeedPass, Seed19WhoIsAttachedByACallbackHearsOfTheNextEvent) {
  Attach(a_, UTRACE_EVENT(EXEC));
  a_.Adopt(UTRACE_EVENT_BIT_EXEC, b_, UTRACE_EVENT(EXEC));
  puppet_.Exec();
  ASSERT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"1 exec", "1 adopt"}));
  EXPECT_EQ(SeedLog().at(1).value, 0);
  puppet_.Exec();
  ASSERT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"1 exec", "1 adopt", "1 exec", "2 exec"}));
  // The test did not attach it.
  EXPECT_EQ(b_.Control(UTRACE_DETACH), 0);
  b_.Put();
}

// Its data may be completed in peace.
TEST_F(SeedPass, Seed20NothingIsHeardBeforeItIsAskedFor) {
  Attach(b_, kEntry);
  ASSERT_EQ(a_.Attach(puppet_.pid()), 0);
  MakeCall();
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry"}));
  ASSERT_EQ(a_.SetEvents(kEntry), 0);
  MakeCall();
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "2 entry"}));
}

TEST_F(SeedPass, Seed20NorByAThreadThatCallsAllTheTime) {
  constexpr long kRounds = 500;
  // Keeps what is known of the thread, so that a round is all attach and detach.
  Attach(b_, 0);
  puppet_.CallOn(SYS_getppid);
  EXPECT_EQ(SeedCommand("race " + std::to_string(puppet_.pid()) + " " + std::to_string(kRounds)),
            0);
  const std::vector<SeedLine> log = SeedLog();
  ASSERT_EQ(log.size(), 1u);
  EXPECT_GE(log[0].nr, kRounds) << "callbacks";
  EXPECT_EQ(log[0].value, 0) << "callbacks that came too early";
  MakeCall();
}

// What was asked no more is not told, also in the pass that is under way.
TEST_F(SeedPass, Seed22WhatIsNotAskedForIsNotTold) {
  Attach(a_, kEntry);
  Attach(b_, kEntry);
  gates_.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  Parked("cb-in");
  EXPECT_EQ(a_.SetEvents(0), 0) << "the other's callback is running";
  EXPECT_EQ(b_.SetEvents(0), -EINPROGRESS) << "its own is";
  gates_.Open("cb-in");
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(b_.Barrier(), 0);
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry"}));
  MakeCall();
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry"}));
}

TEST_F(SeedPass, Seed22NeitherBeforeTheFirstPass) {
  Attach(a_, kEntry | kExit);
  Attach(b_, kEntry);
  gates_.Arm("entry-sampled");
  puppet_.Call(SYS_getppid);
  Parked("entry-sampled");
  EXPECT_EQ(a_.SetEvents(0), 0);
  gates_.Open("entry-sampled");
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry"}));
}

TEST_F(SeedPass, Seed22ABarrierWaitsForTheCallback) {
  Attach(a_, kEntry);
  gates_.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  Parked("cb-in");
  EXPECT_EQ(a_.SetEvents(0), -EINPROGRESS);
  std::atomic<bool> over = false;
  std::thread waiter([&] {
    EXPECT_EQ(a_.Barrier(), 0);
    over = true;
  });
  usleep(50'000);
  EXPECT_FALSE(over);
  gates_.Open("cb-in");
  waiter.join();
  EXPECT_EQ(SeedCalls(), (Calls{"1 entry"}));
  EXPECT_TRUE(puppet_.GetsDone());
}

// Though nobody holds the thread there: asked for while a callback runs, it is in time for that
// event.
TEST_F(SeedPass, AStopAskedForInACallbackIsTakenAtItsEvent) {
  Attach(a_, kEntry | kExit);
  gates_.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  Parked("cb-in");
  EXPECT_EQ(a_.Stop(), -EINPROGRESS);
  gates_.Open("cb-in");
  EXPECT_TRUE(Eventually([&] { return a_.asleep(); }));
  EXPECT_EQ(SeedCalls(), (Calls{"1 entry"}));
  EXPECT_EQ(a_.Resume(0), 0);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"1 entry", "1 exit"}));
}

TEST_F(SeedPass, AVerdictGivenInACallbackIsInTimeForItsCall) {
  Attach(a_, kEntry);
  gates_.Arm("cb-in");
  puppet_.Call(SYS_getppid);
  Parked("cb-in");
  EXPECT_EQ(a_.Abort(4711), 0);
  gates_.Open("cb-in");
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(puppet_.result(), 4711);
  EXPECT_EQ(a_.Abort(1), -EINVAL) << "it is over";
  MakeCall();
  EXPECT_EQ(puppet_.result(), getpid());
}

// Let go before it has fallen asleep, it was held all the same.
TEST_F(SeedPass, AskedForBeforeItSleepsItIsCalledAgain) {
  Attach(a_, kEntry);
  a_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
  gates_.Arm("applied");
  puppet_.Call(SYS_getppid);
  Parked("applied");
  a_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_RESUME);
  EXPECT_EQ(a_.Control(UTRACE_REPORT), 0);
  EXPECT_EQ(a_.Resume(a_.report()), 0);
  gates_.Open("applied");
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"1 entry", "1 entry"}));
  MakeCall();
  EXPECT_EQ(SeedCalls(), (Calls{"1 entry", "1 entry", "1 entry"}));
}

// Not at this entry, and not at the next, at which another holds the thread.
TEST_F(SeedPass, AskedForWithoutAHoldIsNoSecondCall) {
  Attach(a_, kEntry);
  Attach(b_, kEntry);
  a_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_REPORT);
  MakeCall();
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry"}));
  a_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_RESUME);
  b_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(Eventually([&] { return b_.asleep(); }));
  EXPECT_EQ(b_.Resume(b_.report()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), (Calls{"2 entry", "1 entry", "2 entry", "1 entry"}));
}

// The trap flag is set, and its last engine leaves: the trap still finds us, and nobody else.
TEST_F(SeedPass, H1ADetachBetweenTrapFlagAndTrapKillsNobody) {
  Attach(a_, UTRACE_EVENT(STEP));
  gates_.Arm("armed");
  ASSERT_EQ(a_.Control(UTRACE_SINGLESTEP), 0);
  Parked("armed");
  EXPECT_EQ(a_.Control(UTRACE_DETACH), 0);
  gates_.Open("armed");
  EXPECT_TRUE(puppet_.Runs());
  puppet_.Call(SYS_getppid);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(SeedCalls(), Calls{});
  int status = 0;
  EXPECT_EQ(waitpid(puppet_.pid(), &status, WNOHANG), 0) << "died of signal " << WTERMSIG(status);
}

// H-1: the flags were seen, then cleared, and only then the thread comes to us.
class SeedSampled : public SeedPass, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Seed, SeedSampled, testing::Values("entry", "exit"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(SeedSampled, H1ADetachBetweenFlagAndHookKillsNobody) {
  const std::string point = std::string(GetParam()) + "-sampled";
  Attach(a_, kEntry | kExit);
  gates_.Arm(point);
  puppet_.Call(SYS_getppid);
  Parked(point);
  EXPECT_EQ(a_.Control(UTRACE_DETACH), 0);
  ASSERT_EQ(SeedCommand("work " + std::to_string(puppet_.pid())), 0);
  EXPECT_EQ(SeedLog().back().value, 0) << "none of our flags is left";
  gates_.Open(point);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(puppet_.result(), getpid());
  int status = 0;
  EXPECT_EQ(waitpid(puppet_.pid(), &status, WNOHANG), 0) << "died of signal " << WTERMSIG(status);
}

}  // namespace
}  // namespace utrace::test
