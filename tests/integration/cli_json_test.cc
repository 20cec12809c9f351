// SPDX-License-Identifier: Apache-2.0
// The JSON Lines of ps, engine and status are as docs/json-control.md says.
#include <unistd.h>

#include <csignal>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "userspace/utracectl/testing/json_schema.h"

namespace utrace::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class CliJsonTest : public testing::Test {
 protected:
  void TearDown() override { RunCli({"engine", "detach", "--all"}); }

  // What it prints, each line held against the schema.
  std::string Lines(const Cli::Args& args) {
    const CliResult result = RunCli(args);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_NE(result.out, "");
    for (const std::string& line : LinesOf(result.out)) EXPECT_EQ(schema_.Complaint(line), "");
    return result.out;
  }

  const JsonSchema schema_{JsonSchema::Of::kControl};
};

TEST_F(CliJsonTest, OfAThreadThatTwoHold) {
  Opener target;
  EXPECT_THAT(Lines({"ps", "-j", "-p", target.Name()}), HasSubstr("\"engines\":[]"));
  Cli strace = Cli::Of({"strace", "-o", "/dev/null", "-p", target.Name()});
  ASSERT_TRUE(strace.Says("attached"));
  ASSERT_EQ(RunCli({"stop", "-p", target.Name(), "--at", "syscall:openat", "--background", "--wait",
                    "20"})
                .status,
            0);
  ASSERT_EQ(RunCli({"stop", "-p", target.Name(), "--background"}).status, 0);
  const std::string thread = Lines({"ps", "-j"});
  EXPECT_THAT(thread, HasSubstr("\"pid\":" + target.Name() + ",\"tid\":" + target.Name()));
  EXPECT_THAT(thread, HasSubstr("\"ptracer\":{\"pid\":" + std::to_string(strace.pid()) +
                                ",\"comm\":\"strace\"}"));
  EXPECT_THAT(thread, ContainsRegex("\"hold\":\\{\"asleep\":true,\"event\":\"syscall-entry\","
                                    "\"call\":\"openat\",\"seq\":[0-9]+,\"for_ns\":[0-9]+\\}"));
  EXPECT_THAT(thread, ContainsRegex("\"owner\":\\{\"pid\":[0-9]+,\"comm\":\"utracectl-holde\"\\}"));
  const std::string engines = Lines({"engine", "list", "-j"});
  EXPECT_EQ(LinesOf(engines).size(), 2u) << engines;
  for (const auto& [id, owner] : ListedEngines()) {
    EXPECT_THAT(Lines({"engine", "show", id, "-j"}), HasSubstr("\"id\":" + id + ","));
  }
  // It can let go of a thread that runs only.
  EXPECT_EQ(RunCli({"resume", target.Name(), "--all"}).status, 0);
  strace.Kill(SIGINT);
  EXPECT_NE(strace.Wait(), -1);
}

TEST_F(CliJsonTest, OfAnObserverAndItsEngine) {
  Opener target;
  Cli trace({"trace", "-p", target.Name()});
  ASSERT_TRUE(trace.Says("openat("));
  const std::string engines = Lines({"engine", "list", "-j"});
  const std::string owner = "\"owner\":{\"pid\":" + std::to_string(trace.pid());
  EXPECT_THAT(engines, HasSubstr("\"plane\":\"control\"," + owner));
  EXPECT_THAT(engines, HasSubstr("\"trace_only\":true"));
  EXPECT_THAT(engines, HasSubstr("\"plane\":\"observe\"," + owner));
  EXPECT_THAT(engines, HasSubstr("\"observed_threads\":1"));
  const std::string id = "bpf:" + std::to_string(trace.pid());
  EXPECT_THAT(Lines({"engine", "show", id, "-j"}), HasSubstr("\"observed_threads\":1"));
  // For people:
  EXPECT_THAT(RunCli({"engine", "list"}).out, ContainsRegex(id + " .* observe +running\n"));
  EXPECT_THAT(RunCli({"engine", "show", id}).out,
              HasSubstr("it ends with its owner (kill -INT " + std::to_string(trace.pid()) + ")"));
  EXPECT_EQ(RunCli({"engine", "detach", id}).status, 1);
  trace.Kill(SIGINT);
  EXPECT_EQ(trace.Wait(), 0);
  EXPECT_THAT(RunCli({"engine", "list"}).out, Not(HasSubstr("bpf:")));
}

TEST_F(CliJsonTest, OfTheMachine) {
  const std::string status = Lines({"status", "-j"});
  EXPECT_THAT(status, HasSubstr("\"btf\":true"));
  EXPECT_THAT(status, HasSubstr("\"events\":[\"quiesce\",\"reap\",\"clone\""));
}

}  // namespace
}  // namespace utrace::test
