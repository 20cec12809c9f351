// SPDX-License-Identifier: Apache-2.0
// Birth, exec, exit and death of threads as their engines hear of them.
#include <signal.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

TEST(Lifecycle, SmokeCloneTellsTheChild) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  ASSERT_GT(device.Attach(tracee.pid(), UTRACE_EVENT(CLONE)), 0);
  for (const char* verb : {"fork", "vfork"}) {
    tracee.Tell(verb);
    const utrace_notice notice = device.Next();
    EXPECT_EQ(notice.event, UTRACE_EVENT(CLONE)) << ToString(notice);
    EXPECT_EQ(notice.tid, tracee.pid());
    EXPECT_EQ(device.Resume(notice), 0);
    EXPECT_EQ(tracee.Hear(), std::to_string(notice.result)) << verb;
  }
}

// The parent is held in vfork(), and only who holds it can have the child be born.
TEST(Lifecycle, WhoIsNotBornYetCannotBeLookedAt) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), UTRACE_EVENT(CLONE), UTRACE_TARGET_CHILDREN);
  ASSERT_GT(engine, 0);
  tracee.Tell("vfork");
  const pid_t child = device.Next().tid;
  const utrace_notice notice = device.Next();
  ASSERT_EQ(notice.event, UTRACE_EVENT(CLONE)) << ToString(notice);
  ASSERT_EQ(notice.result, child);
  ASSERT_EQ(device.Control(engine, child, UTRACE_STOP), -EINPROGRESS);
  user_regs_struct values{};
  EXPECT_EQ(device.Regs(engine, child, &values), -EAGAIN);
  ASSERT_EQ(device.Resume(notice), 0);
  const utrace_notice stopped = device.Next();
  ASSERT_EQ(stopped.type, UTRACE_NOTICE_STOPPED) << ToString(stopped);
  EXPECT_EQ(stopped.tid, child);
  EXPECT_EQ(device.Regs(engine, child, &values), 0);
  EXPECT_EQ(device.Resume(stopped), 0);
  EXPECT_EQ(tracee.Hear(), std::to_string(child));
}

TEST(Lifecycle, SmokeExecIsHeldBeforeItsFirstInstruction) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  ASSERT_GT(device.Attach(tracee.pid(), UTRACE_EVENT(EXEC)), 0);
  tracee.Tell("exec");
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.event, UTRACE_EVENT(EXEC)) << ToString(notice);
  EXPECT_EQ(notice.tid, tracee.pid());
  EXPECT_EQ(notice.result, tracee.pid());
  EXPECT_EQ(notice.nr, SYS_execve);
  EXPECT_EQ(notice.flags, UTRACE_NOTICE_IN_SYSCALL);
  EXPECT_EQ(tracee.Hear(200), "");
  EXPECT_EQ(device.Resume(notice), 0);
  EXPECT_EQ(tracee.Hear(), "ready");
}

// Another thread than the leader execs: it goes on under the leader's number, and that which is
// told to have died is its own.
class ExecByAThread : public testing::TestWithParam<bool> {};

// Read at once, or only when all has happened.
INSTANTIATE_TEST_SUITE_P(Lifecycle, ExecByAThread, testing::Bool());

TEST_P(ExecByAThread, IsToldOfBothNumbers) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), UTRACE_EVENT(EXEC), UTRACE_TARGET_GROUP);
  ASSERT_GT(engine, 0);
  tracee.Tell("thread-exec");
  if (GetParam()) {
    ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
  }
  const utrace_notice attached = device.Next();
  ASSERT_EQ(attached.type, UTRACE_NOTICE_ATTACHED) << ToString(attached);
  EXPECT_NE(attached.tid, tracee.pid());
  bool gone = false;
  bool exec = false;
  while (!gone || !exec) {
    const utrace_notice notice = device.Next();
    ASSERT_NE(notice.type, 0u);
    if (notice.type == UTRACE_NOTICE_GONE) {
      EXPECT_EQ(notice.tid, attached.tid);
      gone = true;
    } else {
      EXPECT_EQ(notice.event, UTRACE_EVENT(EXEC)) << ToString(notice);
      EXPECT_EQ(notice.tid, tracee.pid());
      EXPECT_EQ(notice.result, attached.tid);
      exec = true;
      EXPECT_EQ(device.Resume(notice), 0);
    }
  }
  EXPECT_EQ(tracee.Hear(), "ready");
  const std::vector<utrace_info> infos = device.List(tracee.pid());
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].tid, tracee.pid());
}

TEST(Lifecycle, SmokeExitThenDeath) {
  Tracee tracee({"actor"});
  const pid_t pid = tracee.pid();
  Device device = Device::Open();
  ASSERT_GT(device.Attach(pid, UTRACE_EVENT(EXIT)), 0);
  tracee.Tell("exit 5");
  const utrace_notice exit = device.Next();
  EXPECT_EQ(exit.event, UTRACE_EVENT(EXIT)) << ToString(exit);
  EXPECT_EQ(exit.result, 5 << 8);
  // Its memory and files are whole.
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  std::string line;
  EXPECT_TRUE(std::getline(maps, line));
  EXPECT_EQ(tracee.Wait(100), -1);
  EXPECT_EQ(device.Resume(exit), 0);
  EXPECT_EQ(tracee.Wait(), 5 << 8);
  const utrace_notice gone = device.Next();
  EXPECT_EQ(gone.type, UTRACE_NOTICE_GONE) << ToString(gone);
  EXPECT_EQ(gone.reason, UTRACE_GONE_DEATH);
  EXPECT_EQ(gone.result, 5 << 8);
  EXPECT_EQ(gone.tid, pid);
  EXPECT_EQ(device.Resume(exit), -ESRCH);
  EXPECT_TRUE(device.List().empty());
}

TEST(Lifecycle, DeathIsToldWithoutBeingAskedFor) {
  Tracee tracee({"spinner", "4"});
  Device device = Device::Open();
  ASSERT_GT(device.Attach(tracee.pid(), 0, UTRACE_TARGET_GROUP), 0);
  tracee.Kill(SIGTERM);
  for (int i = 0; i < 4; ++i) {
    const utrace_notice gone = device.Next();
    EXPECT_EQ(gone.type, UTRACE_NOTICE_GONE) << ToString(gone);
    EXPECT_EQ(gone.result, SIGTERM);
    EXPECT_EQ(gone.tgid, tracee.pid());
  }
  EXPECT_EQ(device.Next(0).type, 0u);
  EXPECT_EQ(tracee.Wait(), SIGTERM);
}

TEST(Lifecycle, AnEngineWithNobodyLeftIsForgotten) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  tracee.Kill(SIGKILL);
  ASSERT_EQ(device.Next().type, UTRACE_NOTICE_GONE);
  EXPECT_EQ(device.SetEvents(engine, 0, 0), -ESRCH);
  EXPECT_EQ(device.Control(engine, 0, UTRACE_DETACH), -ESRCH);
  utrace_features features{};
  ASSERT_EQ(device.Call(UTRACE_IOC_FEATURES, &features), 0);
  EXPECT_TRUE(Eventually([&] {
    device.Call(UTRACE_IOC_FEATURES, &features);
    return features.engines == 0;
  }));
}

}  // namespace
}  // namespace utrace::test
