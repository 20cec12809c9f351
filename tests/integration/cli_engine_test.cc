// SPDX-License-Identifier: Apache-2.0
// utracectl engine load and unload: engines in BPF on real programs.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/identity.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kFaults[] = "/payload/engines/faultinject.bpf.o";

class CliEngine : public testing::Test {
 protected:
  // True where there are none: that is said, and is all that can be tested.
  bool NotHere() {
    const CliResult load = RunCli(Load({"--set", "call=getpriority", "--pin"}));
    if (load.err.find("6.9 or later") == std::string::npos) {
      EXPECT_EQ(load.status, 0) << load.err;
      EXPECT_EQ(RunCli({"engine", "unload", "faultinject"}).status, 0);
      return false;
    }
    EXPECT_EQ(load.status, 1);
    return true;
  }

  Cli::Args Load(const Cli::Args& more) const {
    Cli::Args args{"engine", "load", kFaults, "-p", std::to_string(tracee_.pid())};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  std::string Call() { return tracee_.Ask("call " + std::to_string(SYS_getpriority) + " 0 0"); }
  static std::string Listed() { return RunCli({"engine", "list"}).out; }

  Tracee tracee_{{"actor"}};
};

TEST_F(CliEngine, SmokeItIsOnAProcessUntilItsLoaderDies) {
  if (NotHere()) return;
  Cli load(Load({"--set", "call=getpriority", "--set", "error=ENOSPC", "--set", "every=2"}));
  ASSERT_TRUE(load.Says("faultinject (call=getpriority, error=ENOSPC, every=2, after=0) is on "));
  EXPECT_EQ(Call(), "20");
  EXPECT_EQ(Call(), "-28");
  EXPECT_EQ(Call(), "20");
  EXPECT_THAT(Listed(), HasSubstr("faultinject"));
  load.Kill(SIGKILL);
  EXPECT_EQ(load.Wait(), 128 + SIGKILL);
  EXPECT_TRUE(Eventually([] { return Listed().find("faultinject") == std::string::npos; }));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Call(), "20");
}

TEST_F(CliEngine, PinnedItStaysUntilItIsUnloaded) {
  if (NotHere()) return;
  ASSERT_EQ(RunCli(Load({"--set", "call=getpriority", "--pin"})).status, 0);
  EXPECT_EQ(Call(), "-5");
  EXPECT_THAT(Listed(), HasSubstr("pinned"));
  EXPECT_THAT(RunCli({"engine", "list", "-j"}).out, HasSubstr("\"name\":\"faultinject\""));
  // The link is a user of the module.
  EXPECT_NE(Cli::Of({"rmmod", "utrace"}).Wait(), 0);
  const CliResult again = RunCli(Load({"--pin"}));
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, HasSubstr("loaded already (utracectl engine unload faultinject)"));
  EXPECT_EQ(RunCli({"engine", "unload", "faultinject"}).status, 0);
  EXPECT_EQ(Call(), "20");
  EXPECT_THAT(Listed(), Not(HasSubstr("faultinject")));
  const CliResult none = RunCli({"engine", "unload", "faultinject"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("there is none of that name"));
}

TEST_F(CliEngine, TheBrakeTakesItOffItsThreads) {
  if (NotHere()) return;
  ASSERT_EQ(RunCli(Load({"--set", "call=getpriority", "--pin"})).status, 0);
  EXPECT_EQ(Call(), "-5");
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_EQ(Call(), "20");
  EXPECT_EQ(RunCli({"engine", "unload", "faultinject"}).status, 0);
}

TEST_F(CliEngine, AProgramIsStartedUnderIt) {
  if (NotHere()) return;
  const CliResult cat = RunCli({"engine", "load", kFaults, "--set", "call=openat", "--set",
                                "error=ENOSPC", "--", "cat", "/etc/hostname"});
  EXPECT_EQ(cat.status, 127);  // the dynamic linker's, which cannot open the C library
  EXPECT_THAT(cat.err, HasSubstr("cannot open shared object file"));
  // Its end is passed on, and its children are left alone, unless they are asked for.
  const std::string twice = "uname >/dev/null; echo first $?; exit 7";
  const CliResult alone =
      RunCli({"engine", "load", kFaults, "--set", "call=uname", "--", "sh", "-c", twice});
  EXPECT_EQ(alone.status, 7);
  EXPECT_EQ(alone.out, "first 0\n");
  const CliResult followed =
      RunCli({"engine", "load", kFaults, "-f", "--set", "call=uname", "--", "sh", "-c", twice});
  EXPECT_EQ(followed.status, 7);
  EXPECT_EQ(followed.out, "first 1\n");
}

TEST_F(CliEngine, WhatCannotBeDoneIsSaidOnce) {
  if (NotHere()) return;
  const struct {
    Cli::Args args;
    const char* says;
  } kBad[] = {
      {Load({"--set", "call=nosuch"}), "it takes the name of a system call, or its number"},
      {Load({"--set", "error=ENOSUCH"}), "it takes an errno, as ENOSPC, or its number"},
      {Load({"--set", "every=-1"}), "it takes a number"},
      {Load({"--set", "every=4294967296"}), "it has 4 bytes"},
      {Load({"--set", "what=1"}), "it has call, error, every, after"},
      {{"engine", "load", "/etc/passwd", "-p", "1"}, "it is no BPF object"},
      {{"engine", "load", "/no/such.bpf.o", "-p", "1"}, "read /no/such.bpf.o: No such file"},
      {{"engine", "load", kFaults, "-p", "4194304"}, "4194304"},
  };
  for (const auto& bad : kBad) {
    const CliResult result = RunCli(bad.args);
    EXPECT_EQ(result.status, 1) << bad.says;
    EXPECT_THAT(result.err, HasSubstr(bad.says));
    EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
  }
  EXPECT_EQ(RunCli({"engine", "load", kFaults}).status, 2);
  EXPECT_EQ(RunCli(Load({"--", "true"})).status, 2);
  EXPECT_EQ(RunCli({"engine", "list", "--", "true"}).status, 2);
  EXPECT_EQ(RunCli({"engine", "load", kFaults, "--set", "what=1", "--", "true"}).status, 125);
  const CliResult user = RunCliAs(kNobody, Load({"--set", "call=getpriority"}));
  EXPECT_EQ(user.status, 1);
  EXPECT_THAT(user.err, HasSubstr("root"));
  EXPECT_EQ(Call(), "20");
}

}  // namespace
}  // namespace utrace::test
