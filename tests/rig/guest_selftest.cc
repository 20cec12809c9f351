// SPDX-License-Identifier: Apache-2.0
// Each way a test in the guest can end, for the rig's own tests: never part of the tests that must
// pass.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

TEST(GuestSelftest, Passes) { EXPECT_EQ(getppid() > 1, true); }

TEST(GuestSelftest, Fails) { EXPECT_EQ(2 + 2, 5) << "seeded"; }

TEST(GuestSelftest, IsSkipped) { GTEST_SKIP() << "seeded reason"; }

TEST(GuestSelftest, IsKilled) { raise(SIGSEGV); }

TEST(GuestSelftest, Hangs) {
  for (;;) pause();
}

TEST(GuestSelftest, Warns) {
  ASSERT_EQ(std::system("insmod /payload/utrace_splat.ko"), 0);
  std::ofstream splat("/sys/kernel/debug/utrace_splat");
  splat << "warn" << std::flush;
  ASSERT_TRUE(splat.good());
}

TEST(GuestSelftest, TakesTheGuestDown) {
  std::ofstream("/proc/sysrq-trigger") << "b" << std::flush;
  for (;;) pause();
}

class GuestSelftestOf : public testing::TestWithParam<int> {};
TEST_P(GuestSelftestOf, Passes) { EXPECT_LT(GetParam(), 3); }
INSTANTIATE_TEST_SUITE_P(Few, GuestSelftestOf, testing::Values(1, 2));
