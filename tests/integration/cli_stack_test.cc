// SPDX-License-Identifier: Apache-2.0
// utracectl stack with the module: of threads that run, sleep, or are held, none of which it
// disturbs.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"

namespace utrace::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class CliStackTest : public testing::Test {
 protected:
  void TearDown() override { RunCli({"engine", "detach", "--all"}); }

  static std::string StackOf(const Tracee& tracee) {
    const CliResult result = RunCli({"stack", std::to_string(tracee.pid())});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }
};

constexpr char kCallers[] =
    "sample_inner\\+0x[0-9a-f]+ in caller\n.*sample_middle\\+0x[0-9a-f]+ in "
    "caller\n.*sample_outer\\+";

TEST_F(CliStackTest, SmokeOneThatRuns) {
  Tracee tracee({"caller", "spin"});
  for (int look = 0; look < 5; ++look) {
    EXPECT_THAT(StackOf(tracee), ContainsRegex(kCallers));
  }
  EXPECT_TRUE(Runs(tracee.pid()));
  EXPECT_TRUE(ListedEngines().empty());
}

// More of them than there are CPUs.
TEST_F(CliStackTest, AllThatRun) {
  Tracee tracee({"spinner", "8"});
  const std::string text = StackOf(tracee);
  const std::vector<std::string> lines = LinesOf(text);
  const auto starts = [](const std::string& line) { return line.find(" #0 ") != line.npos; };
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), starts), 8) << text;
  EXPECT_TRUE(Runs(tracee.pid()));
}

TEST_F(CliStackTest, SmokeOneThatSleepsSleepsOn) {
  Tracee tracee({"caller", "sleep"});
  // It says that it is ready before it waits.
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  const long switches = SwitchesOf(tracee.pid());
  for (int look = 0; look < 5; ++look) {
    const std::string text = StackOf(tracee);
    EXPECT_THAT(text, HasSubstr("caller, blocked in read\n"));
    EXPECT_THAT(text, ContainsRegex(kCallers));
  }
  EXPECT_EQ(SwitchesOf(tracee.pid()), switches);
  tracee.Tell("go on");
  EXPECT_EQ(tracee.Hear(), "") << "its wait was broken";
  EXPECT_EQ(tracee.Wait(), 0);
}

TEST_F(CliStackTest, OneThatIsHeldStaysSo) {
  Tracee tracee({"caller", "spin"});
  ASSERT_EQ(
      RunCli({"stop", "-p", std::to_string(tracee.pid()), "--background", "--wait", "20"}).status,
      0);
  const std::string text = StackOf(tracee);
  EXPECT_THAT(text, HasSubstr("caller, held "));
  EXPECT_THAT(text, ContainsRegex(kCallers));
  EXPECT_FALSE(Runs(tracee.pid()));
  EXPECT_EQ(RunCli({"resume", std::to_string(tracee.pid())}).status, 0);
  EXPECT_TRUE(Runs(tracee.pid()));
}

TEST_F(CliStackTest, OneThatJobControlStoppedStaysSo) {
  Tracee tracee({"caller", "spin"});
  kill(tracee.pid(), SIGSTOP);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'T'; }));
  EXPECT_THAT(StackOf(tracee), ContainsRegex(kCallers));
  EXPECT_EQ(StateOf(tracee.pid()), 'T');
  kill(tracee.pid(), SIGCONT);
  EXPECT_TRUE(Runs(tracee.pid()));
}

TEST_F(CliStackTest, OneWithAnotherRoot) {
  const std::string program = TraceePath("caller");
  Cli elsewhere = Cli::Of({"unshare", "-m", "sh", "-c",
                           "mount -t tmpfs none /mnt && cp " + program +
                               " /mnt/elsewhere && exec /mnt/elsewhere spin"});
  ASSERT_TRUE(elsewhere.Says("ready"));
  ASSERT_NE(access("/mnt/elsewhere", F_OK), 0);
  const CliResult result = RunCli({"stack", std::to_string(elsewhere.pid())});
  EXPECT_THAT(result.out, ContainsRegex("sample_inner\\+0x[0-9a-f]+ in elsewhere\n"));
}

TEST_F(CliStackTest, A32BitProgram) {
  Tracee tracee({"calls32"});
  EXPECT_THAT(StackOf(tracee), ContainsRegex("    #0 [^\n]*Main\\+0x[0-9a-f]+ in calls32\n"
                                             "    #1 [^\n]*_start\\+0x[0-9a-f]+ in calls32\n"));
}

// Those of the namespace that utracectl is in.
TEST_F(CliStackTest, InAPidNamespaceOfItsOwn) {
  Cli inside = Cli::Of({"unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
                        TraceePath("caller") + " spin & sleep 1; utracectl stack $!; kill $!"});
  EXPECT_EQ(inside.Wait(), 0);
  EXPECT_THAT(inside.Out(), ContainsRegex("caller \\([0-9]\\)\n  tid [0-9] caller"));
  EXPECT_THAT(inside.Out(), ContainsRegex(kCallers));
}

TEST_F(CliStackTest, NotOfOthersWithoutTheRight) {
  Tracee tracee({"caller", "sleep"});
  const CliResult result = RunCliAs(1000, {"stack", std::to_string(tracee.pid())});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("belongs to root"));
}

}  // namespace
}  // namespace utrace::test
