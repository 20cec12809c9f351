// SPDX-License-Identifier: Apache-2.0
// Who may be attached to, and that nobody is missed.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <set>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

pid_t KernelThread() {
  // kthreadd's; every kernel has it.
  return 2;
}

TEST(Attach, SmokeOneThreadAndDetach) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), UTRACE_EVENT(EXIT), 0, 77);
  ASSERT_GT(engine, 0);
  ASSERT_EQ(device.List(tracee.pid()).size(), 1u);
  const utrace_info info = device.List(tracee.pid())[0];
  EXPECT_EQ(info.engine, static_cast<uint64_t>(engine));
  EXPECT_EQ(info.owner, getpid());
  EXPECT_EQ(info.tid, tracee.pid());
  EXPECT_EQ(info.events, UTRACE_EVENT(EXIT));
  EXPECT_EQ(info.seq, 0u);
  EXPECT_EQ(device.Control(engine, 0, UTRACE_DETACH), 0);
  EXPECT_TRUE(device.List(tracee.pid()).empty());
  EXPECT_EQ(device.Control(engine, 0, UTRACE_DETACH), -ESRCH);
  EXPECT_EQ(tracee.Ask("call " + std::to_string(SYS_getpid)), std::to_string(tracee.pid()));
}

TEST(Attach, RefusesWhatIsNoTarget) {
  Device device = Device::Open();
  EXPECT_EQ(device.Attach(getpid(), 0), -EPERM);
  EXPECT_EQ(device.Attach(getpid(), 0, UTRACE_TARGET_GROUP), -EPERM);
  EXPECT_EQ(device.Attach(KernelThread(), 0), -EPERM);
  EXPECT_EQ(device.Attach(0, 0), -ESRCH);
  EXPECT_EQ(device.Attach(-1, 0), -ESRCH);
  EXPECT_EQ(device.Attach(0x7fffffff, 0), -ESRCH);
  EXPECT_EQ(device.Attach(9999, 0, UTRACE_TARGET_PIDFD), -EBADF);
  EXPECT_TRUE(device.List().empty());
}

TEST(Attach, RefusesAZombieAndAReapedPid) {
  Tracee tracee({"actor"});
  const pid_t pid = tracee.pid();
  Device device = Device::Open();
  tracee.Kill(SIGKILL);
  ASSERT_TRUE(Eventually([&] { return StateOf(pid) == 'Z'; }));
  EXPECT_EQ(device.Attach(pid, 0), -ESRCH);
  EXPECT_EQ(device.Attach(pid, 0, UTRACE_TARGET_GROUP), -ESRCH);
  ASSERT_GE(tracee.Wait(), 0);
  EXPECT_EQ(device.Attach(pid, 0), -ESRCH);
  EXPECT_TRUE(device.List().empty());
}

TEST(Attach, ByPidfdMeansTheProcessAndNotItsNumber) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, tracee.pid(), 0));
  ASSERT_GE(pidfd, 0);
  EXPECT_GT(device.Attach(pidfd, 0, UTRACE_TARGET_PIDFD), 0);
  EXPECT_EQ(device.List(tracee.pid()).size(), 1u);
  tracee.Kill(SIGKILL);
  ASSERT_GE(tracee.Wait(), 0);
  EXPECT_EQ(device.Attach(pidfd, 0, UTRACE_TARGET_PIDFD), -ESRCH);
  close(pidfd);
}

TEST(Attach, WholeGroupOf200Threads) {
  Tracee tracee({"actor"});
  ASSERT_EQ(tracee.Ask("threads 199"), "199");
  ASSERT_TRUE(Eventually([&] { return ThreadsOf(tracee.pid()).size() == 200; }));
  Device device = Device::Open();
  utrace_attach attach{};
  attach.target = tracee.pid();
  attach.flags = UTRACE_TARGET_GROUP;
  ASSERT_EQ(device.Call(UTRACE_IOC_ATTACH, &attach), 0);
  EXPECT_EQ(attach.threads, 200u);
  EXPECT_EQ(device.List(tracee.pid()).size(), 200u);
  EXPECT_EQ(device.Control(attach.engine, 0, UTRACE_DETACH), 0);
  EXPECT_TRUE(device.List().empty());
}

// Threads come and go all the while.  Whoever was seen alive after the attach is in the engine, or
// was, and its end was told.  (A thread shows in /proc before it runs, so also before it joins:
// being seen and not listed at one moment says nothing.)
TEST(Attach, MissesNoThreadBeingBorn) {
  Tracee tracee({"breeder", "4"});
  for (int round = 0; round < 10; ++round) {
    Device device = Device::Open();
    const int64_t engine = device.Attach(tracee.pid(), 0, UTRACE_TARGET_GROUP);
    ASSERT_GT(engine, 0);
    std::set<pid_t> seen;
    for (int look = 0; look < 20; ++look) {
      for (const pid_t tid : ThreadsOf(tracee.pid())) {
        // Each look at a state is a file to be read, of a hundred threads.
        if (seen.count(tid) != 0) continue;
        const char state = StateOf(tracee.pid(), tid);
        if (state != '\0' && state != 'X' && state != 'Z') seen.insert(tid);
      }
      usleep(5'000);
    }
    EXPECT_GT(seen.size(), 10u);
    std::set<pid_t> missed = seen;
    // The last ones may have been seen before they joined.
    EXPECT_TRUE(Eventually(
        [&] {
          for (const utrace_info& info : device.List(tracee.pid())) missed.erase(info.tid);
          for (utrace_notice notice = device.Next(0); notice.type != 0; notice = device.Next(0))
            missed.erase(notice.tid);
          return missed.empty();
        },
        2000))
        << missed.size() << " of " << seen.size() << " in round " << round;
  }
}

TEST(Attach, NewThreadsAndChildrenJoinBeforeTheyRun) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine = device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY),
                                               {SYS_getppid}, UTRACE_TARGET_CHILDREN);
  ASSERT_GT(engine, 0);
  tracee.Tell("fork-call " + std::to_string(SYS_getppid));
  const utrace_notice attached = device.Next();
  EXPECT_EQ(attached.type, UTRACE_NOTICE_ATTACHED) << ToString(attached);
  EXPECT_NE(attached.tid, tracee.pid());
  EXPECT_EQ(attached.tgid, attached.tid);
  const utrace_notice held = device.Next();
  EXPECT_EQ(held.type, UTRACE_NOTICE_HELD) << ToString(held);
  EXPECT_EQ(held.tid, attached.tid);
  EXPECT_EQ(held.nr, SYS_getppid);
  EXPECT_EQ(device.Resume(held), 0);
  const utrace_notice gone = device.Next();
  EXPECT_EQ(gone.type, UTRACE_NOTICE_GONE) << ToString(gone);
  EXPECT_EQ(gone.reason, UTRACE_GONE_DEATH);
  EXPECT_EQ(gone.result, 7 << 8);
  EXPECT_EQ(tracee.Hear(), std::to_string(attached.tid));

  tracee.Tell("thread");
  const utrace_notice thread = device.Next();
  EXPECT_EQ(thread.type, UTRACE_NOTICE_ATTACHED) << ToString(thread);
  EXPECT_EQ(thread.tgid, tracee.pid());
  const utrace_notice call = device.Next();
  EXPECT_EQ(call.tid, thread.tid);
  EXPECT_EQ(call.nr, SYS_getppid);
  EXPECT_EQ(device.Resume(call), 0);
  EXPECT_EQ(device.Next().type, UTRACE_NOTICE_GONE);
  EXPECT_EQ(tracee.Hear(), std::to_string(thread.tid));
}

TEST(Attach, OneUserHasSoManyAttachmentsAndNoMore) {
  const char* parameter = "/sys/module/utrace/parameters/max_attachments";
  std::string before;
  std::ifstream(parameter) >> before;
  ASSERT_FALSE(before.empty());
  Tracee tracee({"actor"});
  ASSERT_EQ(tracee.Ask("threads 9"), "9");
  ASSERT_TRUE(Eventually([&] { return ThreadsOf(tracee.pid()).size() == 10; }));
  Device device = Device::Open();
  std::ofstream(parameter) << 9 << std::endl;
  EXPECT_EQ(device.Attach(tracee.pid(), 0, UTRACE_TARGET_GROUP), -EDQUOT);
  EXPECT_TRUE(device.List().empty());
  std::ofstream(parameter) << 10 << std::endl;
  EXPECT_GT(device.Attach(tracee.pid(), 0, UTRACE_TARGET_GROUP), 0);
  std::ofstream(parameter) << before << std::endl;
}

}  // namespace
}  // namespace utrace::test
