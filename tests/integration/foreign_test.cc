// SPDX-License-Identifier: Apache-2.0
// Letting go of what another holds.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/identity.h"

namespace utrace::test {
namespace {

TEST(Foreign, AnotherSessionOfTheSameUserMayLetGo) {
  Tracee tracee({"spinner"});
  Device owner = Device::Open();
  const int64_t engine = owner.Attach(tracee.pid(), 0);
  ASSERT_TRUE(StopAccepted(owner.Control(engine, tracee.pid(), UTRACE_STOP)));
  ASSERT_EQ(owner.Next().type, UTRACE_NOTICE_STOPPED);
  Device other = Device::Open(O_RDONLY);
  EXPECT_EQ(other.Control(engine, 0, UTRACE_RESUME), -ESRCH) << "not its own, and not foreign";
  EXPECT_EQ(other.Foreign(engine, tracee.pid(), UTRACE_STOP), -EINVAL);
  utrace_control control{};
  EXPECT_EQ(other.Foreign(engine, tracee.pid(), UTRACE_RESUME, &control), 0);
  EXPECT_EQ(control.affected, 1u);
  EXPECT_EQ(control.held_by_others, 0u);
  EXPECT_TRUE(Runs(tracee.pid()));
  EXPECT_EQ(owner.Next().type, UTRACE_NOTICE_RELEASED);
  EXPECT_EQ(other.Foreign(engine, 0, UTRACE_DETACH), 0);
  const utrace_notice gone = owner.Next();
  EXPECT_EQ(gone.type, UTRACE_NOTICE_GONE);
  EXPECT_EQ(gone.reason, UTRACE_GONE_RELEASED);
  EXPECT_TRUE(owner.List().empty());
}

TEST(Foreign, AnotherUserMayNot) {
  Tracee tracee({"actor"});
  Device owner = Device::Open();
  const int64_t engine =
      owner.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority});
  ASSERT_GT(engine, 0);
  tracee.Tell("call " + std::to_string(SYS_getpriority));
  const utrace_notice held = owner.Next();
  ASSERT_EQ(held.type, UTRACE_NOTICE_HELD);
  ASSERT_EQ(owner.List(tracee.pid()).at(0).nr, SYS_getpriority);
  Fork other([&] {
    if (setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0)
      return 1;
    Device device = Device::Open(O_RDONLY);
    if (device.Foreign(engine, tracee.pid(), UTRACE_RESUME) != -EPERM) return 2;
    if (device.Foreign(engine, 0, UTRACE_DETACH) != -EPERM) return 3;
    const std::vector<utrace_info> infos = device.List(tracee.pid());
    // He sees that it is held and by whom, as he could in /proc; not in which call.
    return infos.size() == 1 && infos[0].owner == getppid() && infos[0].nr == -1 ? 0 : 4;
  });
  EXPECT_EQ(other.Wait(), 0);
  EXPECT_EQ(tracee.Hear(200), "");
  EXPECT_EQ(owner.Resume(held), 0);
  EXPECT_EQ(tracee.Hear(), "20");
}

// Told once it is so, with what still holds the thread.
TEST(Foreign, TheOwnerIsToldOfAResumeAndOfWhatStillHolds) {
  Tracee tracee({"actor"});
  Device owner = Device::Open();
  Device other = Device::Open(O_RDONLY);
  const int64_t engine =
      owner.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority});
  ASSERT_GT(engine, 0);
  const auto resume = [&](uint64_t seq) {
    utrace_control control{};
    control.flags = UTRACE_CONTROL_FOREIGN;
    control.engine = engine;
    control.tid = tracee.pid();
    control.action = UTRACE_RESUME;
    control.seq = seq;
    return other.Call(UTRACE_IOC_CONTROL, &control);
  };
  tracee.Tell("call " + std::to_string(SYS_getpriority));
  const utrace_notice held = owner.Next();
  ASSERT_EQ(held.type, UTRACE_NOTICE_HELD);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
  uint64_t stop = 0;
  ASSERT_EQ(owner.Control(engine, tracee.pid(), UTRACE_STOP, &stop), 0);
  ASSERT_EQ(owner.Next().type, UTRACE_NOTICE_STOPPED);

  ASSERT_EQ(resume(held.seq), 0);
  utrace_notice notice = owner.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_RELEASED) << ToString(notice);
  EXPECT_EQ(notice.tid, tracee.pid());
  EXPECT_EQ(notice.seq, 0u);
  EXPECT_EQ(notice.result, static_cast<int64_t>(stop));
  EXPECT_EQ(tracee.Hear(200), "");

  ASSERT_EQ(resume(UTRACE_SEQ_LATEST), 0);
  notice = owner.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_RELEASED) << ToString(notice);
  EXPECT_EQ(notice.result, 0);
  EXPECT_EQ(tracee.Hear(), "20");
  // One's own is no news.
  tracee.Tell("call " + std::to_string(SYS_getpriority));
  EXPECT_EQ(owner.Resume(owner.Next()), 0);
  EXPECT_EQ(tracee.Hear(), "20");
  EXPECT_EQ(owner.Next(0).type, 0u);
}

}  // namespace
}  // namespace utrace::test
