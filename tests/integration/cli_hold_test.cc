// SPDX-License-Identifier: Apache-2.0
// utracectl hold, of a program and of a tree, and stop of one thread among others.
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"

namespace utrace::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class CliHoldTest : public testing::Test {
 protected:
  void TearDown() override {
    unlink("/tmp/go");
    RunCli({"engine", "detach", "--all"});
  }
};

TEST_F(CliHoldTest, ATreeIsHeldWhereItsGlobFits) {
  Cli shell = Cli::Of({"sh", "-c",
                       "while ! [ -e /tmp/go ]; do :; done; env true; cat /dev/null; "
                       "touch /tmp/go.done; exec sleep 1000"});
  Cli hold({"hold", "--tree", std::to_string(shell.pid()), "*/cat"});
  ASSERT_TRUE(hold.Says("and 0 processes below it: what they execute as */cat is held"));
  std::ofstream("/tmp/go").flush();
  ASSERT_TRUE(hold.Says("cat, before the first instruction"));
  EXPECT_THAT(hold.Out(), Not(HasSubstr("bin/env,")));
  EXPECT_THAT(hold.Out(), Not(HasSubstr("bin/true,")));
  const std::string held = RunCli({"ps"}).out;
  EXPECT_THAT(held, ContainsRegex("cat +held at its exec, before the first instruction"));
  usleep(300'000);
  EXPECT_NE(access("/tmp/go.done", F_OK), 0);
  const size_t at = hold.Out().find("held: tid ") + 10;
  const std::string pid = hold.Out().substr(at, hold.Out().find(' ', at) - at);
  const CliResult resume = RunCli({"resume", pid});
  EXPECT_EQ(resume.status, 0) << resume.err;
  EXPECT_EQ(resume.out, "resumed: tid " + pid + " goes on\n");
  EXPECT_TRUE(Eventually([] { return access("/tmp/go.done", F_OK) == 0; }));
  unlink("/tmp/go.done");
  EXPECT_TRUE(Eventually([&] { return StateOf(shell.pid()) == 'S'; })) << "no glob, no hold";
  hold.Kill(SIGINT);
  EXPECT_EQ(hold.Wait(), 0);
  EXPECT_TRUE(ListedEngines().empty());
}

TEST_F(CliHoldTest, NestedItIsSaidSo) {
  for (const bool nested : {false, true}) {
    Cli::Args args = {"hold", "--", "true"};
    if (nested) args.insert(args.begin() + 1, "--nested");
    Cli hold(args);
    ASSERT_TRUE(hold.Says("to let go: ")) << hold.Err();
    EXPECT_THAT(RunCli({"engine", "list", "-j"}).out,
                HasSubstr(nested ? "\"nested\":true" : "\"nested\":false"));
    hold.Kill(SIGINT);
    EXPECT_EQ(hold.Wait(), 0) << hold.Err();
  }
}

TEST_F(CliHoldTest, InTheBackgroundAHolderKeepsIt) {
  for (const bool killed : {false, true}) {
    const CliResult hold =
        RunCli({"hold", "--background", "--", "sh", "-c", "touch /tmp/go; exec sleep 1000"});
    ASSERT_EQ(hold.status, 0) << hold.err;
    const auto engines = ListedEngines();
    ASSERT_EQ(engines.size(), 1u);
    const std::string holder = std::to_string(engines[0].second);
    EXPECT_THAT(hold.err, HasSubstr("to let go: kill " + holder + ", or utracectl resume "));
    EXPECT_THAT(RunCli({"ps"}).out,
                HasSubstr("engine " + engines[0].first + " of utracectl-holder (" + holder + ")"));
    EXPECT_THAT(ReadWhole("/proc/" + holder + "/cmdline"),
                HasSubstr("utracectl-holder hold -- sh -c"));
    EXPECT_NE(access("/tmp/go", F_OK), 0);
    const size_t at = hold.err.find("held: tid ") + 10;
    const std::string pid = hold.err.substr(at, hold.err.find(' ', at) - at);
    if (killed) {
      kill(engines[0].second, SIGKILL);
    } else {
      EXPECT_EQ(RunCli({"resume", pid}).status, 0);
    }
    EXPECT_TRUE(Eventually([] { return access("/tmp/go", F_OK) == 0; }));
    unlink("/tmp/go");
    kill(std::stoi(pid), SIGKILL);
  }
}

TEST_F(CliHoldTest, OfAllThreadsOneIsStopped) {
  Tracee tracee({"spinner", "3"});
  const std::vector<pid_t> threads = ThreadsOf(tracee.pid());
  ASSERT_EQ(threads.size(), 3u);
  const std::string target = std::to_string(tracee.pid()) + "/" + std::to_string(threads[1]);
  Cli stop({"stop", "-p", target, "--wait", "20"});
  ASSERT_TRUE(stop.Says("to let go: Ctrl-C, or utracectl resume " + target + " --engine "));
  EXPECT_TRUE(stop.Says("held: tid " + std::to_string(threads[1]) + " of spinner ("));
  EXPECT_EQ(StateOf(tracee.pid(), threads[1]), 't');
  for (const pid_t other : {threads[0], threads[2]}) {
    const long before = TicksOf(tracee.pid(), other);
    EXPECT_TRUE(Eventually([&] { return TicksOf(tracee.pid(), other) > before; })) << other;
  }
  EXPECT_EQ(RunCli({"resume", target}).out,
            "resumed: tid " + std::to_string(threads[1]) + " goes on\n");
  EXPECT_TRUE(stop.Says("is held any more"));
  EXPECT_EQ(stop.Wait(), 0);
  const long before = TicksOf(tracee.pid(), threads[1]);
  EXPECT_TRUE(Eventually([&] { return TicksOf(tracee.pid(), threads[1]) > before; }));
}

}  // namespace
}  // namespace utrace::test
