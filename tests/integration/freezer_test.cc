// SPDX-License-Identifier: Apache-2.0
// Stops beside the freezer of cgroups: a held thread counts as frozen, and neither lets it run
// before the other does.
#include "tests/integration/freezer.h"

#include <sys/syscall.h>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

class Frozen : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(freezer_.Add(pid_));
    engine_ = device_.Attach(pid_, 0);
    ASSERT_GT(engine_, 0);
  }
  void Hold() {
    ASSERT_TRUE(StopAccepted(device_.Control(engine_, pid_, UTRACE_STOP)));
    notice_ = device_.Next();
    ASSERT_EQ(notice_.type, UTRACE_NOTICE_STOPPED);
  }

  Tracee tracee_{{"spinner"}};
  const pid_t pid_ = tracee_.pid();
  const Freezer freezer_;
  Device device_ = Device::Open();
  int64_t engine_ = 0;
  utrace_notice notice_{};
};

TEST_F(Frozen, AHeldThreadIsAndStaysSoOnceItIsLetGo) {
  Hold();
  ASSERT_TRUE(freezer_.Freeze(true));
  EXPECT_TRUE(Eventually([&] { return freezer_.IsFrozen(); }));
  EXPECT_EQ(device_.Resume(notice_), 0);
  EXPECT_FALSE(Runs(pid_));
  EXPECT_TRUE(Eventually([&] { return freezer_.IsFrozen(); }));
  ASSERT_TRUE(freezer_.Freeze(false));
  EXPECT_TRUE(Runs(pid_));
}

TEST_F(Frozen, AHeldThreadStaysHeldWhenItThaws) {
  Hold();
  ASSERT_TRUE(freezer_.Freeze(true));
  ASSERT_TRUE(Eventually([&] { return freezer_.IsFrozen(); }));
  ASSERT_TRUE(freezer_.Freeze(false));
  EXPECT_FALSE(Runs(pid_));
  user_regs_struct regs{};
  EXPECT_EQ(device_.Regs(engine_, pid_, &regs), 0);
  EXPECT_EQ(device_.Resume(notice_), 0);
  EXPECT_TRUE(Runs(pid_));
}

TEST_F(Frozen, AStopOfAFrozenThreadHoldsItWhenItThaws) {
  ASSERT_TRUE(freezer_.Freeze(true));
  ASSERT_TRUE(Eventually([&] { return freezer_.IsFrozen(); }));
  const int stopped = device_.Control(engine_, pid_, UTRACE_STOP);
  EXPECT_TRUE(StopAccepted(stopped)) << stopped;
  ASSERT_TRUE(freezer_.Freeze(false));
  notice_ = device_.Next();
  EXPECT_EQ(notice_.type, UTRACE_NOTICE_STOPPED);
  EXPECT_FALSE(Runs(pid_));
  EXPECT_EQ(device_.Resume(notice_), 0);
  EXPECT_TRUE(Runs(pid_));
}

TEST_F(Frozen, AHeldThreadIsKilled) {
  Hold();
  ASSERT_TRUE(freezer_.Freeze(true));
  ASSERT_TRUE(Eventually([&] { return freezer_.IsFrozen(); }));
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
}

}  // namespace
}  // namespace utrace::test
