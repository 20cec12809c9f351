// SPDX-License-Identifier: Apache-2.0
// Asynchronous stops, and several engines on one thread.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

bool Held(pid_t pid) { return StateOf(pid) == 't'; }

TEST(Stop, SmokeHoldsASpinningThreadAndLetsItGo) {
  Tracee tracee({"spinner"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  ASSERT_GT(engine, 0);
  uint64_t seq = 0;
  EXPECT_TRUE(StopAccepted(device.Control(engine, tracee.pid(), UTRACE_STOP, &seq)));
  EXPECT_EQ(UTRACE_SEQ_SLOT(seq), UTRACE_SLOT_ASYNC);
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_STOPPED) << ToString(notice);
  EXPECT_EQ(notice.seq, seq);
  EXPECT_EQ(notice.tid, tracee.pid());
  EXPECT_TRUE(Eventually([&] { return Held(tracee.pid()); }));
  EXPECT_FALSE(Runs(tracee.pid()));
  const utrace_info info = device.List(tracee.pid()).at(0);
  EXPECT_EQ(info.flags, UTRACE_INFO_HELD_ASYNC | UTRACE_INFO_ASLEEP);
  EXPECT_EQ(info.seq, seq);
  EXPECT_EQ(device.Resume(notice), 0);
  EXPECT_TRUE(Runs(tracee.pid()));
}

TEST(Stop, OfAHeldThreadIsSoAtOnceAndToldTheSame) {
  Tracee tracee({"spinner"});
  Device one = Device::Open();
  Device two = Device::Open();
  const int64_t first = one.Attach(tracee.pid(), 0);
  const int64_t second = two.Attach(tracee.pid(), 0);
  ASSERT_TRUE(StopAccepted(one.Control(first, tracee.pid(), UTRACE_STOP)));
  const utrace_notice held = one.Next();
  ASSERT_TRUE(Eventually([&] { return Held(tracee.pid()); }));
  uint64_t seq = 0;
  EXPECT_EQ(two.Control(second, tracee.pid(), UTRACE_STOP, &seq), 0);
  const utrace_notice also = two.Next();
  EXPECT_EQ(also.type, UTRACE_NOTICE_STOPPED);
  EXPECT_EQ(also.seq, seq);

  // It runs only when both have let go.
  utrace_control control{};
  control.engine = first;
  control.tid = held.tid;
  control.seq = held.seq;
  control.action = UTRACE_RESUME;
  ASSERT_EQ(one.Call(UTRACE_IOC_CONTROL, &control), 0);
  EXPECT_EQ(control.affected, 1u);
  EXPECT_EQ(control.held_by_others, 1u);
  EXPECT_FALSE(Runs(tracee.pid()));
  EXPECT_EQ(two.Resume(also), 0);
  EXPECT_TRUE(Runs(tracee.pid()));
}

TEST(Stop, OneNumberCannotReleaseTheOthersHold) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine =
      device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority});
  ASSERT_GT(engine, 0);
  tracee.Tell("call " + std::to_string(SYS_getpriority));
  const utrace_notice report = device.Next();
  ASSERT_EQ(report.type, UTRACE_NOTICE_HELD);
  ASSERT_TRUE(Eventually([&] { return Held(tracee.pid()); }));
  uint64_t seq = 0;
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP, &seq), 0);
  EXPECT_EQ(device.Next().type, UTRACE_NOTICE_STOPPED);
  EXPECT_EQ(device.Resume(engine, tracee.pid(), seq), 0);
  EXPECT_EQ(tracee.Hear(200), "") << "the report's hold is still open";
  EXPECT_EQ(device.Resume(report), 0);
  EXPECT_EQ(tracee.Hear(), "20");
}

TEST(Stop, ResumeWithoutNumberReleasesWhatIsOpenNowAndNothingLater) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine =
      device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority});
  ASSERT_GT(engine, 0);
  EXPECT_EQ(device.Resume(engine, tracee.pid(), UTRACE_SEQ_LATEST), 0) << "nothing is open";
  for (int round = 0; round < 3; ++round) {
    tracee.Tell("call " + std::to_string(SYS_getpriority));
    ASSERT_EQ(device.Next().type, UTRACE_NOTICE_HELD);
    EXPECT_EQ(tracee.Hear(50), "");
    EXPECT_EQ(device.Resume(engine, tracee.pid(), UTRACE_SEQ_LATEST), 0);
    EXPECT_EQ(tracee.Hear(), "20");
  }
}

class BlockedIn : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Stop, BlockedIn,
                         testing::Values("read", "futex", "epoll", "nanosleep", "wait4"),
                         [](const auto& param) { return std::string(param.param); });

// A stop leaves the call alone; the thread comes by when it is over, here by SIGKILL.
TEST_P(BlockedIn, AStopDisturbsNothing) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  tracee.Tell(std::string("block ") + GetParam());
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  usleep(50'000);
  const long switches = SwitchesOf(tracee.pid());
  EXPECT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP), -EINPROGRESS);
  EXPECT_EQ(tracee.Hear(200), "");
  EXPECT_EQ(StateOf(tracee.pid()), 'S');
  EXPECT_EQ(device.Next(0).type, 0u);
  // Nobody waits for a stop that may never come.
  user_regs_struct values{};
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &values), -EAGAIN);
  EXPECT_EQ(device.Resume(engine, tracee.pid(), UTRACE_SEQ_LATEST), 0);
  EXPECT_EQ(tracee.Hear(200), "");
  EXPECT_EQ(SwitchesOf(tracee.pid()), switches) << "it was woken";
}

// The stop's number was published by the call that asked for it: the resume answers it, early as
// it is.
TEST(Stop, ResumedBeforeTheThreadComesByItIsNotHeld) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP), -EINPROGRESS);
  ASSERT_EQ(device.Control(engine, 0, UTRACE_RESUME), 0);
  EXPECT_EQ(tracee.Ask("call " + std::to_string(SYS_getpriority)), "20");
  EXPECT_EQ(device.Next(0).type, 0u);
}

// Interrupted, it is held; and let go, the call is restarted as if nothing had been, but for
// epoll_wait, which says EINTR as it does for SIGSTOP.
TEST_P(BlockedIn, AnInterruptHoldsItAndTheCallIsRestarted) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  tracee.Tell(std::string("block ") + GetParam());
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  usleep(50'000);
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP), -EINPROGRESS);
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_INTERRUPT), 0);
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_STOPPED) << ToString(notice);
  EXPECT_TRUE(Eventually([&] { return Held(tracee.pid()); }));
  EXPECT_EQ(device.Resume(notice), 0);
  if (std::string(GetParam()) == "epoll") {
    EXPECT_EQ(tracee.Hear(), std::to_string(-EINTR));
  } else {
    EXPECT_EQ(tracee.Hear(300), "");
    EXPECT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  }
}

TEST(Stop, OfAWholeGroupAndOfWhoIsBornMeanwhile) {
  Tracee tracee({"breeder", "4"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0, UTRACE_TARGET_GROUP);
  ASSERT_GT(engine, 0);
  const int error = device.Control(engine, 0, UTRACE_STOP);
  EXPECT_TRUE(error == 0 || error == -EINPROGRESS) << error;
  // Those in a wait come by when it is over; in the end nobody runs.
  ASSERT_TRUE(Eventually([&] {
    const std::vector<utrace_info> infos = device.List(tracee.pid());
    for (const pid_t tid : ThreadsOf(tracee.pid())) {
      const char state = StateOf(tracee.pid(), tid);
      if (state != 't' && state != 'S') return false;
    }
    return !infos.empty();
  }));
  usleep(100'000);
  const std::vector<pid_t> before = ThreadsOf(tracee.pid());
  usleep(200'000);
  EXPECT_EQ(ThreadsOf(tracee.pid()), before) << "somebody still breeds";
  EXPECT_EQ(device.Control(engine, 0, UTRACE_RESUME), 0);
  EXPECT_TRUE(Eventually([&] { return ThreadsOf(tracee.pid()) != before; }));
}

// The stop of all holds for those who are yet to come, until all are resumed.
TEST(Stop, WhoIsBornAfterAStopOfAllIsStoppedToo) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0, UTRACE_TARGET_CHILDREN);
  ASSERT_GT(engine, 0);
  // Blocked in its read; let go alone, it forks.
  ASSERT_EQ(device.Control(engine, 0, UTRACE_STOP), -EINPROGRESS);
  tracee.Tell("fork");
  const utrace_notice parent = device.Next();
  ASSERT_EQ(parent.type, UTRACE_NOTICE_STOPPED) << ToString(parent);
  ASSERT_EQ(device.Resume(parent), 0);
  const utrace_notice attached = device.Next();
  EXPECT_EQ(attached.type, UTRACE_NOTICE_ATTACHED) << ToString(attached);
  const utrace_notice stopped = device.Next();
  EXPECT_EQ(stopped.type, UTRACE_NOTICE_STOPPED) << ToString(stopped);
  EXPECT_EQ(stopped.tid, attached.tid);
  EXPECT_EQ(tracee.Hear(200), "");
  EXPECT_EQ(device.Control(engine, 0, UTRACE_RESUME), 0);
  EXPECT_EQ(tracee.Hear(), std::to_string(attached.tid));
  EXPECT_EQ(device.Next().type, UTRACE_NOTICE_GONE);
  tracee.Tell("fork");
  EXPECT_EQ(device.Next().type, UTRACE_NOTICE_ATTACHED);
  EXPECT_EQ(device.Next().type, UTRACE_NOTICE_GONE);
}

TEST(Stop, SigkillWinsOverEveryHold) {
  for (int round = 0; round < 10; ++round) {
    Tracee tracee({"spinner", "3"});
    Device one = Device::Open();
    Device two = Device::Open();
    const int64_t first = one.Attach(tracee.pid(), 0, UTRACE_TARGET_GROUP);
    const int64_t second = two.Attach(tracee.pid(), 0, UTRACE_TARGET_GROUP);
    one.Control(first, 0, UTRACE_STOP);
    two.Control(second, 0, UTRACE_STOP);
    ASSERT_TRUE(Eventually([&] { return Held(tracee.pid()); }));
    tracee.Kill(SIGKILL);
    ASSERT_EQ(tracee.Wait(5000), SIGKILL);
    int gone = 0;
    for (utrace_notice notice = one.Next(1000); notice.type != 0; notice = one.Next(1000)) {
      gone += notice.type == UTRACE_NOTICE_GONE;
      if (gone == 3) break;
    }
    EXPECT_EQ(gone, 3);
  }
}

TEST(Stop, AStoppedJobCountsAsStopped) {
  Tracee tracee({"spinner"});
  const uintptr_t turns = std::stoul(tracee.Hear(), nullptr, 0);
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  ASSERT_TRUE(Eventually([&] { return WordOf(tracee.pid(), turns) != 0; }));
  tracee.Kill(SIGSTOP);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'T'; }));
  const unsigned long before = WordOf(tracee.pid(), turns);
  uint64_t seq = 0;
  EXPECT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP, &seq), 0);
  EXPECT_EQ(device.Next().type, UTRACE_NOTICE_STOPPED);
  tracee.Kill(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return Held(tracee.pid()); }));
  usleep(100'000);
  EXPECT_EQ(WordOf(tracee.pid(), turns), before) << "SIGCONT ends the job's stop, not ours";
  EXPECT_EQ(device.Resume(engine, tracee.pid(), seq), 0);
  EXPECT_TRUE(Eventually([&] { return WordOf(tracee.pid(), turns) != before; }));
}

TEST(Stop, TheSameThreadIsPtracedAtOnce) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine =
      device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority});
  ASSERT_GT(engine, 0);
  ASSERT_EQ(ptrace(PTRACE_SEIZE, tracee.pid(), nullptr, PTRACE_O_TRACESYSGOOD), 0);
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, tracee.pid(), nullptr, nullptr), 0);
  int status = 0;
  ASSERT_EQ(waitpid(tracee.pid(), &status, 0), tracee.pid());
  ASSERT_EQ(ptrace(PTRACE_CONT, tracee.pid(), nullptr, nullptr), 0);
  tracee.Tell("call " + std::to_string(SYS_getpriority));
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
  ASSERT_TRUE(Eventually([&] { return Held(tracee.pid()); }));
  // To ptrace our hold is no stop.
  EXPECT_EQ(waitpid(tracee.pid(), &status, WNOHANG), 0);
  errno = 0;
  EXPECT_EQ(ptrace(PTRACE_PEEKUSER, tracee.pid(), nullptr, nullptr), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(device.Resume(notice), 0);
  EXPECT_EQ(tracee.Hear(), "20");
}

}  // namespace
}  // namespace utrace::test
