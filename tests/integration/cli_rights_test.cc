// SPDX-License-Identifier: Apache-2.0
// Who may hold whom by utracectl, who may let go in his place, and where it ends: at set-id images.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/identity.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr uid_t kUser = kSomebody;

class CliRightsTest : public testing::Test {
 protected:
  void TearDown() override { RunCli({"engine", "detach", "--all"}); }
};

TEST_F(CliRightsTest, AnothersProcessIsRefused) {
  Opener target;
  for (const Cli::Args& args : {Cli::Args{"stop", "-p", target.Name()},
                                {"stop", "-p", target.Name() + "/" + target.Name()},
                                {"hold", "--tree", target.Name()}}) {
    const CliResult result = RunCliAs(kUser, args);
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr(" belongs to root; become that user, or use sudo\n"));
    EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
    EXPECT_TRUE(ListedEngines().empty());
  }
}

TEST_F(CliRightsTest, WhatAnotherHoldsStaysHeld) {
  Opener target;
  ASSERT_EQ(RunCli({"stop", "-p", target.Name(), "--background", "--wait", "10"}).status, 0);
  ASSERT_EQ(ListedEngines().size(), 1u);
  const auto [engine, holder] = ListedEngines()[0];
  const CliResult resume = RunCliAs(kUser, {"resume", target.Name(), "--all"});
  EXPECT_EQ(resume.status, 1);
  EXPECT_THAT(resume.err, HasSubstr("held by engine " + engine + " of utracectl-holder (" +
                                    std::to_string(holder) + "), which is another user's"));
  const CliResult detach = RunCliAs(kUser, {"engine", "detach", engine});
  EXPECT_EQ(detach.status, 1);
  EXPECT_THAT(detach.err, HasSubstr("detach engine " + engine + ": it is another user's"));
  const CliResult all = RunCliAs(kUser, {"engine", "detach", "--all"});
  EXPECT_EQ(all.status, 1);
  EXPECT_THAT(all.err, HasSubstr("only root may end other users' engines"));
  EXPECT_TRUE(target.StandsStill());
}

// The holder and who asks it to let go are two processes of one user.
TEST_F(CliRightsTest, AUsersOwnHoldIsLetGoByHimAndByRoot) {
  for (const uid_t uid : {kUser, uid_t{0}}) {
    Cli target = Cli::Of({"setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "sh", "-c",
                          "while :; do :; done"});
    const std::string pid = std::to_string(target.pid());
    ASSERT_TRUE(Eventually([&] { return ReadWhole("/proc/" + pid + "/comm") == "sh\n"; }));
    const CliResult stop = RunCliAs(kUser, {"stop", "-p", pid, "--background", "--wait", "10"});
    ASSERT_EQ(stop.status, 0) << stop.err;
    EXPECT_EQ(StateOf(target.pid()), 't');
    EXPECT_EQ(RunCliAs(kNobody, {"resume", pid}).status, 1);
    EXPECT_EQ(StateOf(target.pid()), 't');
    const CliResult resume = RunCliAs(uid, {"resume", pid});
    EXPECT_EQ(resume.status, 0) << resume.err;
    EXPECT_TRUE(Eventually([&] { return StateOf(target.pid()) == 'R'; }));
  }
}

class CliYamaTest : public CliRightsTest {
 protected:
  CliYamaTest() {
    EXPECT_TRUE(Eventually([this] { return ReadWhole("/proc/" + pid_ + "/comm") == "sleep\n"; }));
  }

  const YamaScope restored_;
  Cli target_ =
      Cli::Of({"setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "sleep", "1000"});
  const std::string pid_ = std::to_string(target_.pid());
};

TEST_F(CliYamaTest, ItsRuleIsNamed) {
  YamaScope::Set(1);
  const CliResult stop = RunCliAs(kUser, {"stop", "-p", pid_});
  EXPECT_EQ(stop.status, 1);
  EXPECT_THAT(stop.err, HasSubstr("sysctl kernel.yama.ptrace_scope=0"));
  const CliResult doctor = RunCliAs(kUser, {"doctor"});
  EXPECT_THAT(doctor.out, HasSubstr("mend it: sudo sysctl kernel.yama.ptrace_scope=0"));
  // A program of one's own is below oneself.
  const CliResult hold = RunCliAs(kUser, {"hold", "--background", "--", "sleep", "1000"});
  EXPECT_EQ(hold.status, 0) << hold.err;
}

TEST_F(CliYamaTest, ItsRuleIsNamedToWhoWouldHoldHisOwnProgram) {
  YamaScope::Set(2);
  constexpr char kRule[] =
      ": Yama asks for CAP_SYS_PTRACE (kernel.yama.ptrace_scope=2); use sudo\n";
  const CliResult stop = RunCliAs(kUser, {"stop", "-p", pid_});
  EXPECT_EQ(stop.status, 1);
  EXPECT_EQ(stop.err, "utracectl: stop process " + pid_ + kRule);
  for (const Cli::Args& args :
       {Cli::Args{"hold", "--", "echo", "ran"}, {"hold", "--background", "--", "echo", "ran"}}) {
    const CliResult hold = RunCliAs(kUser, args);
    EXPECT_EQ(hold.status, 125);
    EXPECT_EQ(hold.out, "");
    EXPECT_THAT(hold.err, MatchesRegex("utracectl: hold echo \\([0-9]+\\): Yama .*; use sudo\n"));
    EXPECT_THAT(hold.err, HasSubstr(kRule));
  }
}

// What an unprivileged user holds by execs a set-id program: his engine is gone before anything is
// told of it or held, and he hears so.
class CliSetuidTest : public CliRightsTest {
 protected:
  CliSetuidTest() {
    {
      std::ifstream from("/bin/sleep", std::ios::binary);
      std::ofstream to(kSetuid, std::ios::binary);
      to << from.rdbuf();
    }
    EXPECT_EQ(chmod(kSetuid, 04755), 0);
  }
  ~CliSetuidTest() override { unlink(kSetuid); }

  // A shell of the user that does this once it is told to.
  static Cli Shell(const std::string& script) {
    return Cli::Of({"setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "sh", "-c",
                    "while ! [ -e /tmp/go ]; do :; done; " + script});
  }
  // Not before it runs is it the user's.
  static bool Runs(const Cli& shell) {
    const std::string comm = "/proc/" + std::to_string(shell.pid()) + "/comm";
    return Eventually([&] { return ReadWhole(comm) == "sh\n"; });
  }
  static void Go() { std::ofstream("/tmp/go").flush(); }
  void TearDown() override {
    unlink("/tmp/go");
    CliRightsTest::TearDown();
  }

  static constexpr char kSetuid[] = "/tmp/setuid-sleep";
  static constexpr char kLost[] =
      " runs on unheld: its new program has rights that this user may not trace";
};

TEST_F(CliSetuidTest, AProgramToBeHeldAtItsExecIsNot) {
  const CliResult hold = RunCliAs(kUser, {"hold", "--", kSetuid, "0.3"});
  EXPECT_EQ(hold.status, 0);
  EXPECT_THAT(hold.err, HasSubstr(kLost));
  EXPECT_THAT(hold.err, Not(HasSubstr("held: tid")));
}

TEST_F(CliSetuidTest, NorInTheBackground) {
  const CliResult hold = RunCliAs(kUser, {"hold", "--background", "--", kSetuid, "0.3"});
  EXPECT_EQ(hold.status, 1);
  EXPECT_THAT(hold.err, HasSubstr(kLost));
  EXPECT_THAT(hold.err, Not(HasSubstr("held: tid")));
}

TEST_F(CliSetuidTest, ATreeIsHeldAsFarAsItsUserMay) {
  Cli shell = Shell(std::string(kSetuid) + " 0.3; exec sleep 1000");
  ASSERT_TRUE(Runs(shell));
  Cli hold = Cli::As(kUser, {"hold", "--tree", std::to_string(shell.pid())});
  ASSERT_TRUE(hold.Says("armed: "));
  Go();
  ASSERT_TRUE(hold.Says("sleep, before the first instruction"));
  EXPECT_THAT(hold.Out(), HasSubstr(kLost));
  EXPECT_THAT(hold.Out(), Not(HasSubstr(kSetuid)));
  // It is told when it is held for sure, which is before it sleeps.
  EXPECT_TRUE(Eventually([&] { return StateOf(shell.pid()) == 't'; }));
  hold.Kill(SIGTERM);
  EXPECT_EQ(hold.Wait(), 0);
  EXPECT_TRUE(Eventually([&] { return StateOf(shell.pid()) == 'S'; }));
}

TEST_F(CliSetuidTest, AnArmedStopIsGone) {
  Cli shell = Shell(std::string("exec ") + kSetuid + " 1000");
  ASSERT_TRUE(Runs(shell));
  Cli stop = Cli::As(
      kUser, {"stop", "-p", std::to_string(shell.pid()), "--at", "syscall:clock_nanosleep"});
  ASSERT_TRUE(stop.Says("armed: "));
  Go();
  ASSERT_TRUE(stop.Says(kLost));
  EXPECT_TRUE(stop.Says("is held any more"));
  EXPECT_EQ(stop.Wait(), 0);
  EXPECT_THAT(stop.Out(), Not(HasSubstr("held: tid")));
  EXPECT_TRUE(ListedEngines().empty());
  EXPECT_TRUE(Eventually([&] { return StateOf(shell.pid()) == 'S'; }));
}

}  // namespace
}  // namespace utrace::test
