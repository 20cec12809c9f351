// SPDX-License-Identifier: Apache-2.0
// A program that watches itself sees the same whether it is observed or not.
#include <fcntl.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/watcher.h"

namespace utrace::test {
namespace {

TEST(Transparency, SmokeItSeesTheSameTwice) {
  const std::string seen = SeenBare();
  EXPECT_NE(seen.find("exec: again\n"), std::string::npos) << seen;
  EXPECT_EQ(SeenBare(), seen);
}

TEST(Transparency, OfATrace) {
  const std::string seen = SeenBare();
  const Watcher watcher;
  Cli trace({"trace", "-f", "-o", "/dev/null", "-p", std::to_string(watcher.pid())});
  ASSERT_TRUE(Eventually([&] { return !Device::Open(O_RDONLY).List(watcher.pid()).empty(); }));
  watcher.Go();
  EXPECT_EQ(watcher.Saw(), seen);
  EXPECT_EQ(trace.Wait(), 0);
}

// All events told by the module, and held at none: an engine for its tracepoints alone.
TEST(Transparency, OfAnEngineThatOnlyTells) {
  const std::string seen = SeenBare();
  const Watcher watcher;
  Device device = Device::Open();
  ASSERT_GT(device.Attach(watcher.pid(), UTRACE_EVENTS_ALL,
                          UTRACE_TARGET_TRACE | UTRACE_TARGET_CHILDREN | UTRACE_TARGET_GROUP),
            0);
  watcher.Go();
  EXPECT_EQ(watcher.Saw(), seen);
}

class OfHolds : public testing::TestWithParam<uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Transparency, OfHolds, testing::Values(0, UTRACE_TARGET_NESTED));

TEST_P(OfHolds, AtEveryEvent) {
  const std::string seen = SeenBare();
  const Watcher watcher;
  HeldEverywhere holder(watcher, GetParam());
  watcher.Go();
  EXPECT_GT(holder.AnswerAll(), 500);
  EXPECT_EQ(watcher.Saw(), seen);
}

}  // namespace
}  // namespace utrace::test
