// SPDX-License-Identifier: Apache-2.0
// SEED-15 and SEED-23: the end of a thread, and by which errno a controller knows who cleans up.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <ostream>
#include <thread>

#include "tests/integration/seed.h"

namespace utrace::test {
namespace {

using Calls = std::vector<std::string>;

constexpr uint32_t kDeath = UTRACE_EVENT(DEATH);
constexpr uint32_t kReap = UTRACE_EVENT(REAP);

class SeedDeath : public SeedTest {
 protected:
  void Attach(uint32_t events) {
    ASSERT_EQ(a_.Attach(pid_), 0);
    ASSERT_EQ(a_.SetEvents(events), 0);
  }
  void Die() { puppet_.Call(SYS_exit_group, 3); }
  bool IsZombie() const {
    return Eventually([&] { return StateOf(pid_) == 'Z'; });
  }
  void Reap() {
    puppet_.Forget();
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_EQ(WEXITSTATUS(status), 3);
  }
  // Nobody's now: a call on it says so, and its data goes once.
  void ExpectGone() {
    EXPECT_EQ(a_.Control(UTRACE_DETACH), -ESRCH);
    EXPECT_EQ(a_.SetEvents(0), -ESRCH);
    EXPECT_EQ(a_.SetEvents(kDeath), -ESRCH);
    EXPECT_EQ(a_.Stop(), -ESRCH);
    EXPECT_EQ(a_.Resume(UTRACE_SEQ_LATEST), -ESRCH);
    EXPECT_EQ(a_.Barrier(), -ESRCH);
    EXPECT_EQ(a_.released(), 0u);
    a_.Put();
    EXPECT_TRUE(Eventually([&] { return a_.released() == 1; }));
    EXPECT_EQ(SeedCalls().back(), "1 release");
  }
  // All that was heard, but for the release.
  static Calls Heard() {
    Calls calls;
    for (const std::string& call : SeedCalls()) {
      if (call.find("release") == std::string::npos) calls.push_back(call);
    }
    return calls;
  }
  // In a thread, since a gate may hold the reaper.
  std::thread ReapInThread() {
    return std::thread([this] { Reap(); });
  }

  Puppet puppet_;
  const pid_t pid_ = puppet_.pid();
  Seed a_;
  Gates gates_{pid_};
};

TEST_F(SeedDeath, Seed15AnEngineWithoutEventsIsReleasedWhenItsThreadIsReaped) {
  ASSERT_EQ(a_.Attach(pid_), 0);
  Die();
  ASSERT_TRUE(IsZombie());
  Reap();
  ExpectGone();
  EXPECT_EQ(SeedCalls(), (Calls{"1 release"}));
}

TEST_F(SeedDeath, Seed15TheLastDetachTakesEveryFlagWithIt) {
  ASSERT_EQ(SeedCommand("work " + std::to_string(pid_)), 0);
  EXPECT_EQ(SeedLog().back().value, 0);
  Seed b;
  Attach(UTRACE_EVENT_SYSCALL);
  ASSERT_EQ(b.Attach(pid_), 0);
  EXPECT_EQ(a_.Control(UTRACE_DETACH), 0);
  ASSERT_EQ(SeedCommand("work " + std::to_string(pid_)), 0);
  EXPECT_NE(SeedLog().back().value, 0) << "an engine without events still counts";
  EXPECT_EQ(b.Control(UTRACE_DETACH), 0);
  ASSERT_EQ(SeedCommand("work " + std::to_string(pid_)), 0);
  EXPECT_EQ(SeedLog().back().value, 0);
}

// Where the thread is, and what each call says there.
struct Moment {
  const char* name;
  // Brings it about by gates, from a running thread with DEATH and REAP asked for.
  const char* gate;
  bool reaper;
  int detach, clear_death, set_quiesce;
};

void PrintTo(const Moment& moment, std::ostream* os) { *os << moment.name; }

constexpr Moment kMoments[] = {
    {"Zombie", "death-in", false, 0, 0, -EALREADY},
    {"InTheCallback", "cb-in", false, -EALREADY, -EALREADY, -EALREADY},
    {"AfterTheCallback", "cb-out", false, -EALREADY, -EALREADY, -EALREADY},
    {"BeforeTheReportIsOver", "death-out", false, -EALREADY, -EALREADY, -EALREADY},
    {"BeforeTheReap", "reap-in", true, 0, 0, -EALREADY},
};

class SeedTriangle : public SeedDeath, public testing::WithParamInterface<Moment> {
 protected:
  void ParkAtMoment() {
    Seed other;
    Attach(kDeath | kReap);
    if (GetParam().reaper) {
      ASSERT_EQ(other.Attach(pid_), 0);
    }
    gates_.Arm(GetParam().gate);
    Die();
    if (GetParam().reaper) {
      ASSERT_TRUE(IsZombie());
      // Which it is before its end is told; while that is so, nobody is let go at once.
      ASSERT_TRUE(Eventually([&] { return Heard() == Calls{"1 death"}; }));
      ASSERT_TRUE(Eventually([&] { return other.Control(UTRACE_DETACH) == 0; }));
      reaper_ = ReapInThread();
    }
    ASSERT_TRUE(gates_.Parked(GetParam().gate));
  }
  void Finish() {
    gates_.Open(GetParam().gate);
    if (!reaper_.joinable()) reaper_ = ReapInThread();
    reaper_.join();
    // Who reaps need not be who tells.
    EXPECT_TRUE(Eventually([&] { return a_.Control(UTRACE_DETACH) == -ESRCH; }));
    ExpectGone();
  }
  bool Dying() const { return GetParam().detach == -EALREADY; }

  std::thread reaper_;
};

INSTANTIATE_TEST_SUITE_P(Seed, SeedTriangle, testing::ValuesIn(kMoments),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(SeedTriangle, Seed23NothingAskedDeathThenReap) {
  ParkAtMoment();
  Finish();
  EXPECT_EQ(Heard(), (Calls{"1 death", "1 reap"}));
}

TEST_P(SeedTriangle, Seed23Detach) {
  ParkAtMoment();
  EXPECT_EQ(a_.Control(UTRACE_DETACH), GetParam().detach);
  Finish();
  const Calls all{"1 death", "1 reap"};
  const Calls told = std::string(GetParam().name) == "Zombie" ? Calls{} : Calls{"1 death"};
  EXPECT_EQ(Heard(), Dying() ? all : told) << "0: the caller cleans up; else a callback does";
}

TEST_P(SeedTriangle, Seed23ClearDeath) {
  ParkAtMoment();
  EXPECT_EQ(a_.SetEvents(kReap), GetParam().clear_death);
  Finish();
  const bool told = std::string(GetParam().name) != "Zombie";
  EXPECT_EQ(Heard(), told ? (Calls{"1 death", "1 reap"}) : (Calls{"1 reap"}));
}

TEST_P(SeedTriangle, Seed23ClearReapToo) {
  ParkAtMoment();
  EXPECT_EQ(a_.SetEvents(0), GetParam().clear_death);
  Finish();
  const bool told = std::string(GetParam().name) != "Zombie";
  EXPECT_EQ(Heard(), Dying() ? (Calls{"1 death", "1 reap"}) : told ? Calls{"1 death"} : Calls{});
}

TEST_P(SeedTriangle, Seed23NewEventsStopAndResume) {
  ParkAtMoment();
  EXPECT_EQ(a_.SetEvents(kDeath | kReap | UTRACE_EVENT(QUIESCE)), GetParam().set_quiesce);
  EXPECT_EQ(a_.Stop(), -ESRCH);
  EXPECT_EQ(a_.Resume(UTRACE_SEQ_LATEST), -ESRCH);
  EXPECT_EQ(a_.Control(UTRACE_REPORT), -ESRCH);
  EXPECT_EQ(a_.Control(UTRACE_INTERRUPT), -ESRCH);
  Finish();
  EXPECT_EQ(Heard(), (Calls{"1 death", "1 reap"}));
}

TEST_P(SeedTriangle, Seed23Barrier) {
  ParkAtMoment();
  const std::string gate = GetParam().gate;
  const bool waits = gate == "cb-in" || gate == "cb-out";
  std::atomic<bool> over = false;
  std::thread waiter([&] {
    EXPECT_EQ(a_.Barrier(), 0);
    over = true;
  });
  if (waits) {
    usleep(50'000);
    EXPECT_FALSE(over);
    gates_.Open(gate);
    gates_.Arm(gate);
  }
  waiter.join();
  Finish();
  EXPECT_EQ(Heard(), (Calls{"1 death", "1 reap"}));
}

// Reaped by its parent while DEATH is told: REAP waits, and comes from the thread itself.
class SeedReapedEarly : public SeedDeath, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Seed, SeedReapedEarly,
                         testing::Values("death-in", "cb-in", "cb-out", "death-out"),
                         [](const auto& param) {
                           std::string name(param.param);
                           name[name.find('-')] = '_';
                           return name;
                         });

TEST_P(SeedReapedEarly, Seed23ReapStillComesAfterDeath) {
  Attach(kDeath | kReap);
  gates_.Arm(GetParam());
  Die();
  ASSERT_TRUE(gates_.Parked(GetParam()));
  Reap();
  EXPECT_EQ(a_.Control(UTRACE_DETACH), -ESRCH) << "REAP cleans up";
  EXPECT_EQ(a_.SetEvents(0), -ESRCH);
  for (const std::string& call : SeedCalls()) EXPECT_NE(call, "1 reap");
  gates_.Open(GetParam());
  EXPECT_TRUE(Eventually([&] { return Heard().size() == 2; }));
  EXPECT_EQ(Heard(), (Calls{"1 death", "1 reap"}));
  EXPECT_TRUE(Eventually([&] { return a_.Barrier() == -ESRCH; }));
  ExpectGone();
}

TEST_F(SeedDeath, Seed23DetachInTheDeathCallbackIsTheEnd) {
  Attach(kDeath | kReap);
  a_.Answer(UTRACE_EVENT_BIT_DEATH, UTRACE_DETACH);
  Die();
  // A zombie that has not told its death yet would be taken off by the call below.
  ASSERT_TRUE(Eventually([] { return Heard().size() == 1; }));
  ASSERT_TRUE(IsZombie());
  // Off by itself: taken off by this very call, it would say 0.
  int error = 0;
  EXPECT_TRUE(Eventually([&] {
    error = a_.Control(UTRACE_DETACH);
    return error != -EALREADY;
  }));
  EXPECT_EQ(error, -ESRCH);
  Reap();
  ExpectGone();
  EXPECT_EQ(Heard(), (Calls{"1 death"}));
}

TEST_F(SeedDeath, Seed21OfAZombieOnlyReapIsHeard) {
  Die();
  ASSERT_TRUE(IsZombie());
  ASSERT_EQ(a_.Attach(pid_), 0);
  EXPECT_EQ(a_.SetEvents(kDeath), -EALREADY);
  EXPECT_EQ(a_.SetEvents(kReap), 0);
  Reap();
  ExpectGone();
  EXPECT_EQ(Heard(), (Calls{"1 reap"}));
}

TEST_F(SeedDeath, Seed21WhoIsAttachedByADeathCallbackHearsOfTheReapOnly) {
  Seed b;
  Attach(kDeath | kReap);
  a_.Adopt(UTRACE_EVENT_BIT_DEATH, b, kReap);
  Die();
  ASSERT_TRUE(IsZombie());
  EXPECT_TRUE(Eventually([&] { return Heard().size() == 2; }));
  Reap();
  EXPECT_TRUE(Eventually([&] { return Heard().size() == 4; }));
  EXPECT_EQ(Heard(), (Calls{"1 death", "1 adopt", "1 reap", "2 reap"}));
  EXPECT_EQ(SeedLog().at(1).value, 0);
  b.Put();
}

}  // namespace
}  // namespace utrace::test
