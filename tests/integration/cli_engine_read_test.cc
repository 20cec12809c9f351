// SPDX-License-Identifier: Apache-2.0
// utracectl engine read: what an engine tells that somebody else has loaded, or that is pinned.
#include <sys/syscall.h>

#include <csignal>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/debugger.h"

namespace utrace::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class CliEngineRead : public testing::Test {
 protected:
  // False where there are none.
  bool Pinned(const std::string& name, const Cli::Args& more = {}) {
    Cli::Args args{"engine",
                   "load",
                   "/payload/engines/" + name + ".bpf.o",
                   "-p",
                   std::to_string(tracee_.pid()),
                   "--pin"};
    args.insert(args.end(), more.begin(), more.end());
    const CliResult load = RunCli(args);
    if (load.err.find("6.9 or later") != std::string::npos) return false;
    EXPECT_EQ(load.status, 0) << load.err;
    return true;
  }
  std::string Call() { return tracee_.Ask("call " + std::to_string(SYS_getpriority) + " 0 0"); }

  Tracee tracee_{{"actor"}};
};

TEST_F(CliEngineRead, SmokeWhatAPinnedOneHasToldIsReadOnce) {
  if (!Pinned("faultinject", {"--set", "call=getpriority", "--set", "tells=true"})) return;
  EXPECT_EQ(Call(), "-5");
  EXPECT_EQ(Call(), "-5");
  const CliResult read = RunCli({"engine", "read", "faultinject"});
  EXPECT_EQ(read.status, 0) << read.err;
  EXPECT_THAT(read.out, ContainsRegex("^faultinject: pid=[0-9]+ tid=[0-9]+ comm=\"actor\" "
                                      "call=getpriority nth=1\nfaultinject: .* nth=2\n$"));
  EXPECT_EQ(RunCli({"engine", "read", "faultinject"}).out, "");

  Cli follow({"engine", "read", "-f", "faultinject"});
  EXPECT_EQ(Call(), "-5");
  EXPECT_TRUE(follow.Says("nth=3"));
  EXPECT_EQ(RunCli({"engine", "unload", "faultinject"}).status, 0);
  // It sees that.
  EXPECT_EQ(follow.Wait(), 0) << follow.Err();
}

TEST_F(CliEngineRead, SmokeItsTableIsThereAllTheTime) {
  if (!Pinned("syscount")) return;
  Call();
  EXPECT_THAT(RunCli({"engine", "read", "syscount"}).out, HasSubstr("getpriority"));
  EXPECT_THAT(RunCli({"engine", "read", "syscount"}).out, HasSubstr("getpriority"));
  EXPECT_EQ(RunCli({"engine", "unload", "syscount"}).status, 0);
}

TEST_F(CliEngineRead, ACrashIsReadLaterWithTheStack) {
  if (!Pinned("crashcatch")) return;
  tracee_.Kill(SIGSEGV);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 't'; }));
  const CliResult read = RunCli({"engine", "read", "crashcatch"});
  EXPECT_THAT(read.out, HasSubstr("crashcatch: "));
  EXPECT_THAT(read.out, HasSubstr("    #0  "));
  EXPECT_EQ(RunCli({"engine", "unload", "crashcatch"}).status, 0);
  EXPECT_EQ(tracee_.Wait() & 0x7f, SIGSEGV);
}

TEST_F(CliEngineRead, WhatIsNotThereIsSaid) {
  const CliResult none = RunCli({"engine", "read", "nosuch"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("read what engine nosuch tells: there is none of that name"));
  EXPECT_THAT(none.err, Not(HasSubstr("errno")));
}

}  // namespace
}  // namespace utrace::test
