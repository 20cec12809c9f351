// SPDX-License-Identifier: Apache-2.0
// SEED-9, SEED-10, SEED-11: an answer, a detach, the controller's end or SIGKILL, at any moment of
// a hold.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "tests/integration/device.h"
#include "tests/integration/seed.h"

namespace utrace::test {
namespace {

// From the moment an event has its number until its thread sleeps.
constexpr const char* kWindow[] = {"cb-in", "cb-out", "applied", "pre-sleep", "asleep"};

std::string Name(const testing::TestParamInfo<const char*>& param) {
  std::string name(param.param);
  for (char& letter : name) {
    if (letter == '-') letter = '_';
  }
  return name;
}

class InTheWindow : public SeedTest, public testing::WithParamInterface<const char*> {
 protected:
  // On its way into a hold at the entry of getppid, as far as the gate.
  void ParkAtGate() {
    ASSERT_EQ(engine_.Attach(puppet_.pid()), 0);
    engine_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
    ASSERT_EQ(engine_.SetEvents(kEntry), 0);
    gates_.Arm(GetParam());
    puppet_.Call(SYS_getppid);
    ASSERT_TRUE(gates_.Parked(GetParam()));
  }
  bool Sleeps() const { return std::string(GetParam()) == "asleep"; }

  Puppet puppet_;
  Seed engine_;
  Gates gates_{puppet_.pid()};
};

INSTANTIATE_TEST_SUITE_P(Seed, InTheWindow, testing::ValuesIn(kWindow), Name);

TEST_P(InTheWindow, Seed9AResumeOfTheEventIsNotLost) {
  ParkAtGate();
  ASSERT_EQ(engine_.Resume(engine_.report()), 0);
  gates_.Open(GetParam());
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(puppet_.result(), getpid());
  EXPECT_TRUE(puppet_.Runs());
}

TEST_P(InTheWindow, Seed9AResumeWithoutNumberIsNotLost) {
  ParkAtGate();
  ASSERT_EQ(engine_.Resume(UTRACE_SEQ_LATEST), 0);
  gates_.Open(GetParam());
  EXPECT_TRUE(puppet_.GetsDone());
}

TEST_P(InTheWindow, Seed9AResumeOfAnotherNumberIsNone) {
  ParkAtGate();
  EXPECT_EQ(engine_.Resume(engine_.report() + 2), -ERANGE) << "never handed out";
  EXPECT_EQ(engine_.Resume(engine_.report() + 1), -ERANGE) << "of the other slot";
  EXPECT_EQ(engine_.Resume(1ull << 63), -ERANGE);
  gates_.Open(GetParam());
  EXPECT_TRUE(Eventually([&] { return engine_.asleep(); }));
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(engine_.Resume(engine_.report()), 0);
  EXPECT_TRUE(puppet_.GetsDone());

  // And has not released what comes later.
  puppet_.Call(SYS_getppid);
  EXPECT_TRUE(Eventually([&] { return engine_.asleep(); }));
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(engine_.Resume(engine_.report()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
}

TEST_P(InTheWindow, Seed11ADetachLetsGo) {
  ParkAtGate();
  const std::string point = GetParam();
  const int running = point == "cb-in" || point == "cb-out" ? -EINPROGRESS : 0;
  EXPECT_EQ(engine_.Control(UTRACE_DETACH), running);
  gates_.Open(point);
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(engine_.Barrier(), -ESRCH);
  EXPECT_EQ(engine_.Control(UTRACE_DETACH), -ESRCH);
  EXPECT_EQ(engine_.released(), 0u);
  engine_.Put();
  EXPECT_TRUE(Eventually([&] { return engine_.released() == 1; }));
}

TEST_P(InTheWindow, Seed11TheControllersEndLetsGo) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  Fork controller([&] {
    Device device = Device::Open();
    if (device.Attach(puppet_.pid(), kEntry) <= 0) return 1;
    if (write(ready[1], "x", 1) != 1) return 2;
    for (;;) pause();
  });
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  gates_.Arm(GetParam());
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(gates_.Parked(GetParam()));
  kill(controller.pid(), SIGKILL);
  EXPECT_EQ(controller.Wait(), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return Device::Open(O_RDONLY).List(puppet_.pid()).empty(); }));
  gates_.Open(GetParam());
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(puppet_.result(), getpid());
  close(ready[0]);
  close(ready[1]);
}

TEST_P(InTheWindow, Seed9SigkillAlwaysWins) {
  ParkAtGate();
  kill(puppet_.pid(), SIGKILL);
  int status = 0;
  const pid_t pid = puppet_.pid();
  const bool dead = Eventually([&] { return waitpid(pid, &status, WNOHANG) == pid; });
  EXPECT_TRUE(dead);
  if (dead) puppet_.Forget();
  EXPECT_EQ(status, SIGKILL);
}

// Two engines hold the thread at one event: entry calls the one attached last first.
class TwoInTheWindow : public InTheWindow {
 protected:
  void ParkAtGate() {
    ASSERT_EQ(engine_.Attach(puppet_.pid()), 0);
    ASSERT_EQ(other_.Attach(puppet_.pid()), 0);
    for (Seed* engine : {&engine_, &other_}) {
      engine->Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
      ASSERT_EQ(engine->SetEvents(kEntry), 0);
    }
    // Once past the first engine's callback, so that both have their numbers.
    gates_.Arm("cb-in");
    puppet_.Call(SYS_getppid);
    ASSERT_TRUE(gates_.Parked("cb-in"));
    gates_.Arm("cb-out");
    gates_.Open("cb-in");
    ASSERT_TRUE(gates_.Parked("cb-out"));
    const std::string point = GetParam();
    if (point == "cb-out") {
      // This gate has let its one thread in; a second one of the name cannot be armed before.
      gates_.Arm("cb-in");
      gates_.Open("cb-out");
      ASSERT_TRUE(gates_.Parked("cb-in"));
      gates_.Arm("cb-out");
      gates_.Open("cb-in");
    } else {
      gates_.Arm(point);
      gates_.Open("cb-out");
    }
    ASSERT_TRUE(gates_.Parked(point));
  }

  Seed other_;
};

INSTANTIATE_TEST_SUITE_P(Seed, TwoInTheWindow, testing::ValuesIn(kWindow), Name);

TEST_P(TwoInTheWindow, Seed9RunsOnlyWhenBothHaveLetGo) {
  ParkAtGate();
  ASSERT_EQ(engine_.Resume(engine_.report()), 0);
  gates_.Open(GetParam());
  EXPECT_TRUE(Eventually([&] { return other_.asleep(); }));
  EXPECT_TRUE(puppet_.Rests());
  ASSERT_EQ(other_.Resume(other_.report()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
}

TEST_P(TwoInTheWindow, Seed9RunsWhenBothHaveLetGoBefore) {
  ParkAtGate();
  ASSERT_EQ(other_.Resume(other_.report()), 0);
  ASSERT_EQ(engine_.Resume(engine_.report()), 0);
  gates_.Open(GetParam());
  EXPECT_TRUE(puppet_.GetsDone());
}

class SeedStale : public SeedTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(engine_.Attach(puppet_.pid()), 0);
    engine_.Answer(UTRACE_EVENT_BIT_SYSCALL_ENTRY, UTRACE_STOP);
    ASSERT_EQ(engine_.SetEvents(kEntry), 0);
  }
  void ExpectHeldUntilItsOwnResume() {
    puppet_.Call(SYS_getppid);
    ASSERT_TRUE(Eventually([&] { return engine_.asleep(); }));
    EXPECT_TRUE(puppet_.Rests());
    EXPECT_EQ(engine_.Resume(engine_.held()), 0);
    EXPECT_TRUE(puppet_.GetsDone());
  }

  Puppet puppet_;
  Seed engine_;
};

TEST_F(SeedStale, Seed10AResumeWithoutNumberHasNoLaterEffect) {
  EXPECT_EQ(engine_.Resume(UTRACE_SEQ_LATEST), 0) << "nothing was ever handed out";
  ExpectHeldUntilItsOwnResume();
  EXPECT_EQ(engine_.Resume(UTRACE_SEQ_LATEST), 0);
  EXPECT_EQ(engine_.Control(UTRACE_RESUME), 0);
  ExpectHeldUntilItsOwnResume();
}

TEST_F(SeedStale, Seed10AnOldNumberHasNoLaterEffect) {
  ExpectHeldUntilItsOwnResume();
  const uint64_t old = engine_.report();
  ExpectHeldUntilItsOwnResume();
  EXPECT_EQ(engine_.Resume(old), 0);
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(Eventually([&] { return engine_.asleep(); }));
  EXPECT_EQ(engine_.Resume(old), 0);
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(engine_.Resume(engine_.held()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
}

// Of an asynchronous stop: its number never answers the report that came meanwhile, nor the
// other way round (H-4).
TEST_F(SeedStale, Seed10OneSlotsNumberDoesNotAnswerTheOther) {
  puppet_.Call(SYS_getppid);
  ASSERT_TRUE(Eventually([&] { return engine_.asleep(); }));
  EXPECT_EQ(engine_.Stop(), 0);
  ASSERT_GT(engine_.stopped(), engine_.held());
  EXPECT_EQ(engine_.Resume(engine_.stopped()), 0);
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(engine_.stopped(), 0u);
  EXPECT_NE(engine_.held(), 0u);
  EXPECT_EQ(engine_.Resume(engine_.held()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
}

// A thread in ptrace's stop has the state bit that our wake-up looks for.
TEST_F(SeedStale, Seed10AResumeDoesNotEndPtracesStop) {
  ASSERT_EQ(ptrace(PTRACE_SEIZE, puppet_.pid(), 0, 0), 0);
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, puppet_.pid(), 0, 0), 0);
  int status = 0;
  ASSERT_EQ(waitpid(puppet_.pid(), &status, 0), puppet_.pid());
  ASSERT_TRUE(WIFSTOPPED(status));
  puppet_.Call(SYS_getppid);
  EXPECT_EQ(engine_.Stop(), 0) << "it sleeps in ptrace's stop";
  EXPECT_EQ(engine_.Resume(engine_.stopped()), 0);
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(engine_.Control(UTRACE_DETACH), 0);
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(ptrace(PTRACE_DETACH, puppet_.pid(), 0, 0), 0);
  EXPECT_TRUE(puppet_.GetsDone());
}

class SeedAnswered : public SeedTest, public testing::WithParamInterface<bool> {
 protected:
  Puppet puppet_;
  Gates gates_{puppet_.pid()};
  Device device_ = Device::Open();
};

INSTANTIATE_TEST_SUITE_P(Seed, SeedAnswered, testing::Bool());

// One controller lets go of a stop that another asked for, before it has come to be: when it does,
// the thread is about to run, and nobody is told that it stopped.
TEST_P(SeedAnswered, Seed10AStopThatIsAnsweredBeforeIsNotTold) {
  const int64_t engine = device_.Attach(puppet_.pid(), 0);
  ASSERT_GT(engine, 0);
  gates_.Arm("pre-sleep");
  uint64_t seq = 0;
  ASSERT_TRUE(StopAccepted(device_.Control(engine, puppet_.pid(), UTRACE_STOP, &seq)));
  ASSERT_TRUE(gates_.Parked("pre-sleep"));
  gates_.Arm("answered");
  int answered = 1;
  std::thread other([&] {
    answered = device_.Resume(engine, puppet_.pid(), GetParam() ? seq : UTRACE_SEQ_LATEST);
  });
  EXPECT_TRUE(gates_.Parked("answered"));
  gates_.Arm("asleep");
  gates_.Open("pre-sleep");
  EXPECT_TRUE(gates_.Parked("asleep"));
  gates_.Open("answered");
  other.join();
  EXPECT_EQ(answered, 0);
  EXPECT_TRUE(puppet_.Runs());
  const utrace_notice told = device_.Next(100);
  EXPECT_EQ(told.type, 0u) << ToString(told);

  // What comes later is told.
  ASSERT_TRUE(StopAccepted(device_.Control(engine, puppet_.pid(), UTRACE_STOP, &seq)));
  const utrace_notice later = device_.Next();
  EXPECT_EQ(later.type, UTRACE_NOTICE_STOPPED) << ToString(later);
  EXPECT_EQ(later.seq, seq);
  EXPECT_EQ(device_.Resume(later), 0);
  EXPECT_TRUE(puppet_.Runs());
}

}  // namespace
}  // namespace utrace::test
