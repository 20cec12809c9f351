// SPDX-License-Identifier: Apache-2.0
// utracectl inject: on real programs.
#include <sys/syscall.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/debugger.h"

namespace utrace::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class CliInject : public testing::Test {
 protected:
  // True where there are no engines in BPF: that is said.
  static bool NotHere() {
    const CliResult inject = RunCli({"inject", "close:error=EIO", "--", "true"});
    if (inject.err.find("6.9 or later") == std::string::npos) return false;
    EXPECT_EQ(inject.status, 125);
    return true;
  }
};

TEST_F(CliInject, SmokeOneOfAFewCallsFails) {
  if (NotHere()) return;
  const CliResult cat = RunCli({"inject", "openat:error=ENOSPC:if=path ~ \"/etc/host*\":when=2",
                                "--", "cat", "/etc/hostname", "/etc/hosts", "/etc/hostname"});
  // An expression takes what follows it.
  EXPECT_EQ(cat.status, 2) << cat.err;
  // Where what is told does not come between what cat says.
  const CliResult second =
      RunCli({"inject", "openat:error=ENOSPC:when=2:if=path ~ \"/etc/host*\"", "--", "sh", "-c",
              "exec cat /etc/hostname /etc/hosts /etc/hostname 2>&1"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.out, HasSubstr("cat: /etc/hosts: No space left on device"));
  EXPECT_THAT(second.out, Not(HasSubstr("hostname: No space")));
  EXPECT_THAT(second.err,
              ContainsRegex("inject openat:.*: pid=[0-9]+ tid=[0-9]+ comm=\"cat\" call=openat "
                            "nth=2\n"));
}

// As strace counts: in each thread by itself.
TEST_F(CliInject, SmokeTheyAreCountedInEachThread) {
  if (NotHere()) return;
  const CliResult shell = RunCli(
      {"inject", "chdir:error=EACCES:when=2..6+2", "-f", "--", "sh", "-c",
       "t() { for i in 1 2 3 4 5 6 7 8; do cd / 2>/dev/null && printf 0 || printf 1; done; }; t; "
       "(t); echo"});
  EXPECT_EQ(shell.status, 0) << shell.err;
  EXPECT_EQ(shell.out, "0101010001010100\n");
}

TEST_F(CliInject, SmokeACallComesLateAndIsNotDisturbed) {
  if (NotHere()) return;
  const auto begin = std::chrono::steady_clock::now();
  // dash says if it is broken.
  const CliResult shell =
      RunCli({"inject", "chdir:delay=400ms", "--", "sh", "-c", "cd /tmp && cd / && pwd"});
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(shell.status, 0) << shell.err;
  EXPECT_EQ(shell.out, "/\n");
  EXPECT_GE(took, std::chrono::milliseconds(800));
}

// Of the module: engines, and what is under way for them.
int UsersOfTheModule() {
  std::ifstream file("/sys/module/utrace/refcnt");
  int users = -1;
  file >> users;
  return users;
}

// It is a hold as any other: it shows, and is over at once for who lets go.
TEST_F(CliInject, WhoIsLateMayBeLetGoBefore) {
  if (NotHere()) return;
  ASSERT_TRUE(Eventually([] { return UsersOfTheModule() == 0; }));
  Tracee tracee({"actor"});
  const std::string pid = std::to_string(tracee.pid());
  Cli inject({"inject", "getpriority:delay=3000s", "-p", pid});
  ASSERT_TRUE(inject.Says("into actor (" + pid + ")"));
  tracee.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
  EXPECT_THAT(RunCli({"ps", "-p", pid}).out, HasSubstr("getpriority"));
  EXPECT_EQ(RunCli({"resume", pid}).status, 0);
  EXPECT_EQ(tracee.Hear(), "20");
  // And for its engine's end.
  tracee.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
  inject.Kill(SIGINT);
  EXPECT_EQ(tracee.Hear(), "20");
  EXPECT_EQ(inject.Wait(), 0) << inject.Err();
  // Nothing waits for the time that it would have taken.
  EXPECT_TRUE(Eventually([] { return UsersOfTheModule() == 0; }));
}

TEST_F(CliInject, SmokeResultsArgumentsAndSignals) {
  if (NotHere()) return;
  Tracee tracee({"actor"});
  const std::string pid = std::to_string(tracee.pid());
  const auto call = [&](int nr, const std::string& args) {
    return tracee.Ask("call " + std::to_string(nr) + " " + args);
  };
  Cli inject({"inject", "getpriority:retval=4321", "umask:arg0=18", "getppid:retval=5",
              "getppid:retval=6", "-p", pid});
  ASSERT_TRUE(inject.Says("into actor"));
  EXPECT_EQ(call(SYS_getpriority, "0 0"), "4321");
  call(SYS_umask, "511");
  EXPECT_EQ(call(SYS_umask, "511"), "18");
  // Of two the later word counts.
  EXPECT_EQ(call(SYS_getppid, ""), "6");
  EXPECT_NE(call(SYS_getuid, ""), "6");
  inject.Kill(SIGINT);
  EXPECT_EQ(inject.Wait(), 0) << inject.Err();
  EXPECT_THAT(inject.Out(), HasSubstr("inject getpriority:retval=4321: pid=" + pid));
  EXPECT_EQ(call(SYS_getpriority, "0 0"), "20");

  const CliResult killed = RunCli({"inject", "chdir:signal=TERM:when=2", "--", "sh", "-c",
                                   "trap 'echo caught' TERM; cd /tmp; echo one; cd /; echo two"});
  EXPECT_EQ(killed.out, "one\ncaught\ntwo\n") << killed.err;
}

TEST_F(CliInject, WhatIsNeverDueIsSaid) {
  if (NotHere()) return;
  const CliResult never =
      RunCli({"inject", "sync:error=EIO", "close:error=EIO:when=10000", "--", "true"});
  EXPECT_EQ(never.status, 0);
  EXPECT_THAT(never.err, HasSubstr("inject sync:error=EIO: never\n"));
  EXPECT_THAT(never.err, HasSubstr("inject close:error=EIO:when=10000: never\n"));
}

}  // namespace
}  // namespace utrace::test
