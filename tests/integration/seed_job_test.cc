// SPDX-License-Identifier: Apache-2.0
// SEED-1 to SEED-8: job control and engines at once.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "tests/integration/seed.h"

namespace utrace::test {
namespace {

using Calls = std::vector<std::string>;

constexpr uint32_t kJctl = UTRACE_EVENT(JCTL);

// What a parent is told of a child's job control, in order.
class Parent {
 public:
  explicit Parent(pid_t child) : child_(child) {}
  // The next thing; 0 if there is none.  CLD_STOPPED or CLD_CONTINUED.
  int Sees() const {
    int status = 0;
    if (waitpid(child_, &status, WUNTRACED | WCONTINUED | WNOHANG) <= 0) return 0;
    return WIFSTOPPED(status) ? CLD_STOPPED : WIFCONTINUED(status) ? CLD_CONTINUED : CLD_KILLED;
  }
  bool ComesToSee(int what) const {
    int seen = 0;
    return Eventually([&] { return (seen = Sees()) != 0; }) && seen == what;
  }

 private:
  pid_t child_;
};

class SeedJctl : public SeedTest {
 protected:
  void Attach(uint32_t events) {
    ASSERT_EQ(engine_.Attach(puppet_.pid()), 0);
    ASSERT_EQ(engine_.SetEvents(events), 0);
  }
  void Send(int signo) { ASSERT_EQ(kill(puppet_.pid(), signo), 0); }
  void ParkAtStop() {
    gates_.Arm("jctl-in");
    Send(SIGSTOP);
    ASSERT_TRUE(gates_.Parked("jctl-in"));
  }
  bool IsJobStopped() {
    return Eventually([&] { return StateOf(puppet_.pid()) == 'T'; });
  }

  Puppet puppet_;
  Seed engine_;
  Gates gates_{puppet_.pid()};
};

TEST_F(SeedJctl, Seed1AStopGivenWhileAStopIsToldStands) {
  Attach(kJctl);
  ParkAtStop();
  EXPECT_EQ(engine_.SetEvents(0), 0);
  EXPECT_EQ(engine_.Control(UTRACE_RESUME), 0);
  EXPECT_EQ(engine_.Stop(), -EINPROGRESS);
  gates_.Open("jctl-in");
  EXPECT_TRUE(IsJobStopped());
  EXPECT_EQ(engine_.Stop(), 0);
  EXPECT_EQ(SeedCalls(), Calls{});
  puppet_.Call(SYS_getppid);
  Send(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return StateOf(puppet_.pid()) == 't'; }));
  EXPECT_TRUE(puppet_.Rests());
  EXPECT_EQ(engine_.Resume(engine_.stopped()), 0);
  EXPECT_TRUE(puppet_.GetsDone());
}

TEST_F(SeedJctl, Seed1WhoAsksAgainIsToldOnce) {
  Attach(kJctl);
  ParkAtStop();
  EXPECT_EQ(engine_.SetEvents(0), 0);
  EXPECT_EQ(engine_.Control(UTRACE_RESUME), 0);
  EXPECT_EQ(engine_.SetEvents(kJctl), 0);
  gates_.Open("jctl-in");
  EXPECT_TRUE(IsJobStopped());
  EXPECT_EQ(SeedCalls(), Calls{"1 stopping"});
  Send(SIGCONT);
  EXPECT_TRUE(puppet_.Runs());
  EXPECT_EQ(SeedCalls(), (Calls{"1 stopping", "1 continued"}));
}

// Gone before the lock was taken: nobody is told, and what was its own is let go once.
TEST_F(SeedJctl, Seed3WhoLeavesWhileAStopIsToldHearsNothing) {
  Attach(kJctl);
  ParkAtStop();
  EXPECT_EQ(engine_.Control(UTRACE_DETACH), 0);
  engine_.Put();
  EXPECT_EQ(SeedCalls(), Calls{"1 release"});
  gates_.Open("jctl-in");
  EXPECT_TRUE(IsJobStopped());
  Send(SIGCONT);
  EXPECT_TRUE(puppet_.Runs());
  EXPECT_EQ(SeedCalls(), Calls{"1 release"});
  EXPECT_EQ(engine_.released(), 1u);
}

TEST_F(SeedJctl, Seed2AStopAndItsEndAreToldInTheirOrder) {
  Attach(kJctl);
  for (int round = 1; round <= 3; ++round) {
    Send(SIGSTOP);
    EXPECT_TRUE(IsJobStopped());
    EXPECT_EQ(engine_.Stop(), 0);
    EXPECT_EQ(engine_.Resume(engine_.stopped()), 0);
    Send(SIGCONT);
    EXPECT_TRUE(puppet_.Runs());
    EXPECT_EQ(SeedLog().size(), 2u * round);
  }
  EXPECT_EQ(SeedCalls(), (Calls{"1 stopping", "1 continued", "1 stopping", "1 continued",
                                "1 stopping", "1 continued"}));
}

TEST_F(SeedJctl, Seed2WhoAsksInTheMiddleIsToldAtMostOnce) {
  Attach(0);
  ParkAtStop();
  EXPECT_EQ(engine_.SetEvents(kJctl), 0);
  gates_.Open("jctl-in");
  EXPECT_TRUE(IsJobStopped());
  EXPECT_EQ(engine_.Stop(), 0);
  EXPECT_EQ(engine_.Resume(engine_.stopped()), 0);
  EXPECT_EQ(SeedCalls(), Calls{"1 stopping"});
  Send(SIGCONT);
  EXPECT_TRUE(puppet_.Runs());
  EXPECT_EQ(SeedCalls(), (Calls{"1 stopping", "1 continued"}));
}

// Asked for when the thread is in the stop already.
TEST_F(SeedJctl, Seed2WhoAsksInTheStopIsToldOfItsEnd) {
  Attach(0);
  Send(SIGSTOP);
  EXPECT_TRUE(IsJobStopped());
  EXPECT_EQ(engine_.SetEvents(kJctl), 0);
  Send(SIGCONT);
  EXPECT_TRUE(puppet_.Runs());
  EXPECT_EQ(SeedCalls(), Calls{"1 continued"});
}

// "Stopped" is nowhere kept: with the engine gone the thread runs, and the next one sees it run.
TEST_F(SeedJctl, Seed4AnEngineThatLeavesInItsCallbackLeavesNoStop) {
  Seed next;
  Attach(kJctl);
  gates_.Arm("cb-in");
  Send(SIGSTOP);
  ASSERT_TRUE(gates_.Parked("cb-in"));
  EXPECT_EQ(engine_.Control(UTRACE_DETACH), -EINPROGRESS);
  gates_.Open("cb-in");
  EXPECT_TRUE(IsJobStopped());
  Send(SIGCONT);
  EXPECT_TRUE(puppet_.Runs());
  ASSERT_EQ(next.Attach(puppet_.pid()), 0);
  // In a window from which it cannot get to sleep.
  gates_.Arm("note-taken");
  EXPECT_EQ(next.Control(UTRACE_INTERRUPT), 0);
  ASSERT_TRUE(gates_.Parked("note-taken"));
  EXPECT_EQ(next.Stop(), -EINPROGRESS);
  EXPECT_EQ(next.Resume(next.stopped()), 0);
  gates_.Open("note-taken");
  EXPECT_TRUE(puppet_.Runs());
}

// Its stop's end comes while it tells of the stop: it does not stop, and both are told.
TEST_F(SeedJctl, Seed7AnEndThatComesFirstIsToldToo) {
  const Parent parent(puppet_.pid());
  Attach(kJctl);
  gates_.Arm("cb-in");
  Send(SIGSTOP);
  ASSERT_TRUE(gates_.Parked("cb-in"));
  Send(SIGCONT);
  EXPECT_EQ(parent.Sees(), 0);
  gates_.Open("cb-in");
  EXPECT_TRUE(puppet_.Runs());
  EXPECT_EQ(SeedCalls(), (Calls{"1 stopping", "1 continued"}));
  EXPECT_EQ(parent.Sees(), 0) << "nothing has stopped";
}

// Three threads, an engine on one of them.
class SeedJob : public SeedTest {
 protected:
  void SetUp() override {
    for (pid_t& tid : others_) ASSERT_GT(tid = std::stoi("0" + tracee_.Ask("thread")), 0);
    ASSERT_EQ(engine_.Attach(tracee_.pid()), 0);
    ASSERT_EQ(engine_.SetEvents(kJctl), 0);
  }
  void ParkInCallback(int signo) {
    gates_.Arm("cb-in");
    ASSERT_EQ(kill(tracee_.pid(), signo), 0);
    ASSERT_TRUE(gates_.Parked("cb-in"));
  }
  bool AllStopped() {
    return Eventually([&] {
      for (const pid_t tid : ThreadsOf(tracee_.pid()))
        if (StateOf(tracee_.pid(), tid) != 'T') return false;
      return true;
    });
  }
  bool Works() { return !tracee_.Ask("seen").empty(); }

  Tracee tracee_{{"handler"}};
  pid_t others_[2] = {};
  Parent parent_{tracee_.pid()};
  Seed engine_;
  Gates gates_{tracee_.pid()};
};

// Whoever takes the signal: the stop is complete when the last has joined, and is told once.
TEST_F(SeedJob, Seed5And6TheParentIsToldWhenTheLastHasStopped) {
  // By a thread that nobody is on, so that the one in its callback is to join.
  gates_.Arm("cb-in");
  ASSERT_EQ(syscall(SYS_tgkill, tracee_.pid(), others_[0], SIGSTOP), 0);
  ASSERT_TRUE(gates_.Parked("cb-in"));
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee_.pid(), others_[1]) == 'T'; }));
  usleep(50'000);
  EXPECT_EQ(parent_.Sees(), 0) << "one of three runs";
  gates_.Open("cb-in");
  EXPECT_TRUE(parent_.ComesToSee(CLD_STOPPED));
  EXPECT_TRUE(AllStopped());
  EXPECT_EQ(parent_.Sees(), 0) << "once";
  tracee_.Kill(SIGCONT);
  EXPECT_TRUE(parent_.ComesToSee(CLD_CONTINUED));
  EXPECT_TRUE(Works());
  EXPECT_EQ(parent_.Sees(), 0);
  EXPECT_EQ(SeedCalls(), (Calls{"1 stopping", "1 continued"}));
}

// Stopped anew by another thread while it is in its callback: it joins that stop, counted once.
TEST_F(SeedJob, Seed7AStopThatBeginsMeanwhileIsJoined) {
  ParkInCallback(SIGSTOP);
  tracee_.Kill(SIGCONT);
  ASSERT_EQ(syscall(SYS_tgkill, tracee_.pid(), others_[0], SIGSTOP), 0);
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee_.pid(), others_[0]) == 'T'; }));
  EXPECT_EQ(parent_.Sees(), 0) << "one of three runs";
  gates_.Open("cb-in");
  EXPECT_TRUE(AllStopped());
  EXPECT_TRUE(parent_.ComesToSee(CLD_STOPPED));
  EXPECT_EQ(parent_.Sees(), 0);
  tracee_.Kill(SIGCONT);
  EXPECT_TRUE(parent_.ComesToSee(CLD_CONTINUED));
  EXPECT_TRUE(Works());
  EXPECT_EQ(SeedLog().size() % 2, 0u) << "each stop that was told has an end that was";
}

// The last that the group's stop waits for ends instead: it tells of the stop, and is not held.
TEST_F(SeedTest, Seed8AnExitCompletesTheStop) {
  Tracee tracee({"handler"});
  const Parent parent(tracee.pid());
  const pid_t guest = std::stoi("0" + tracee.Ask("guest"));
  ASSERT_GT(guest, 0);
  Seed engine;
  Gates gates(guest);
  ASSERT_EQ(engine.Attach(guest), 0);
  ASSERT_EQ(engine.SetEvents(kJctl | UTRACE_EVENT(EXIT)), 0);
  engine.Answer(UTRACE_EVENT_BIT_JCTL, UTRACE_STOP);
  gates.Arm("cb-in");
  ASSERT_EQ(tracee.Ask("leave"), "0");
  ASSERT_TRUE(gates.Parked("cb-in"));
  ASSERT_EQ(syscall(SYS_tgkill, tracee.pid(), tracee.pid(), SIGSTOP), 0);
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'T'; }));
  EXPECT_EQ(parent.Sees(), 0) << "one of two runs";
  gates.Open("cb-in");
  EXPECT_TRUE(parent.ComesToSee(CLD_STOPPED));
  EXPECT_TRUE(Eventually([&] { return ThreadsOf(tracee.pid()).size() == 1; }));
  EXPECT_EQ(parent.Sees(), 0) << "once";
  EXPECT_EQ(SeedCalls(), (Calls{"1 exiting", "1 stopping"}));
  tracee.Kill(SIGCONT);
  EXPECT_TRUE(parent.ComesToSee(CLD_CONTINUED));
  EXPECT_NE(tracee.Ask("seen"), "");
}

}  // namespace
}  // namespace utrace::test
