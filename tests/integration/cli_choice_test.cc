// SPDX-License-Identifier: Apache-2.0
// utracectl stop --if: which call a thread is held at is decided in the kernel.
#include <sys/syscall.h>

#include <csignal>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/debugger.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class CliChoice : public testing::Test {
 protected:
  // True where there are no engines in BPF: that is said.
  bool NotHere() const {
    const CliResult stop = RunCli(
        {"stop", "-p", Pid(), "--at", "syscall:getpriority", "--if", "arg1 == 1", "--wait", "0.1"});
    EXPECT_EQ(stop.status, 1);
    if (stop.err.find("6.9 or later") != std::string::npos) return true;
    EXPECT_THAT(stop.err, HasSubstr("not held within 100ms at a getpriority of which it is true"));
    EXPECT_THAT(stop.err, HasSubstr("all are let go"));
    return false;
  }
  std::string Pid() const { return std::to_string(tracee_.pid()); }
  bool Held() const {
    return Eventually([this] { return StateOf(tracee_.pid()) == 't'; });
  }
  static std::string Call(int who) {
    return "call " + std::to_string(SYS_getpriority) + " 0 " + std::to_string(who);
  }

  Tracee tracee_{{"actor"}};
};

TEST_F(CliChoice, SmokeAThreadIsHeldAtACallThatItIsTrueOf) {
  if (NotHere()) return;
  Cli stop({"stop", "-p", Pid(), "--at", "syscall:getpriority", "--if", "arg1 == 99999"});
  ASSERT_TRUE(
      stop.Says("at the entry of its next getpriority of which it is true that arg1 == "
                "99999"));
  EXPECT_EQ(tracee_.Ask(Call(0)), "20");
  tracee_.Tell(Call(99999));
  ASSERT_TRUE(
      stop.Says("held: tid " + Pid() + " of actor (" + Pid() + ") at the entry of getpriority"));
  EXPECT_TRUE(Held());
  EXPECT_THAT(RunCli({"ps", "-p", Pid()}).out, HasSubstr("held at the entry of getpriority"));
  EXPECT_EQ(RunCli({"resume", Pid()}).status, 0);
  EXPECT_EQ(tracee_.Hear(), "-3") << "there is no such process";
  // It was all that it was for.
  EXPECT_EQ(stop.Wait(), 0) << stop.Err();
  EXPECT_THAT(stop.Out(), HasSubstr("is held any more"));
  EXPECT_EQ(tracee_.Ask(Call(99999)), "-3");
}

TEST_F(CliChoice, EachThreadIsHeldOnceUntilItsEnd) {
  if (NotHere()) return;
  Cli stop({"stop", "-p", Pid(), "--at", "syscall:getpriority", "--if", "arg1 == 99999"});
  ASSERT_TRUE(stop.Says("to let go: Ctrl-C"));
  // Another, which is in none, keeps it.
  ASSERT_EQ(tracee_.Ask("threads 1"), "1");
  tracee_.Tell(Call(99999));
  ASSERT_TRUE(Held());
  EXPECT_EQ(RunCli({"resume", Pid()}).status, 0);
  EXPECT_EQ(tracee_.Hear(), "-3");
  EXPECT_EQ(tracee_.Ask(Call(99999)), "-3");
  stop.Kill(SIGINT);
  EXPECT_EQ(stop.Wait(), 0) << stop.Err();
}

TEST_F(CliChoice, SmokeItEndsWithAllItHolds) {
  if (NotHere()) return;
  Cli stop({"stop", "-p", Pid() + "/" + Pid(), "--at", "syscall:getpriority", "--if",
            "arg1 == 99999", "--wait", "20"});
  ASSERT_TRUE(stop.Says("armed: engine stop-"));
  tracee_.Tell(Call(99999));
  ASSERT_TRUE(stop.Says("to let go: Ctrl-C"));
  ASSERT_TRUE(Held());
  stop.Kill(SIGINT);
  EXPECT_EQ(stop.Wait(), 0) << stop.Err();
  EXPECT_EQ(tracee_.Hear(), "-3");
}

TEST_F(CliChoice, InTheBackgroundAHolderKeepsIt) {
  if (NotHere()) return;
  const CliResult stop = RunCli({"stop", "-p", Pid(), "--at", "syscall:getpriority", "--if",
                                 "arg1 == 99999", "--background"});
  ASSERT_EQ(stop.status, 0) << stop.err;
  EXPECT_THAT(stop.out, HasSubstr("to let go: kill "));
  tracee_.Tell(Call(99999));
  ASSERT_TRUE(Held());
  EXPECT_EQ(RunCli({"resume", Pid()}).status, 0);
  EXPECT_EQ(tracee_.Hear(), "-3");
  // The holder sees that nothing is left.
  EXPECT_TRUE(Eventually([] {
    return RunCli({"engine", "list"}).out.find("stop-") == std::string::npos;
  }));
}

TEST_F(CliChoice, WhatCannotBeIsRefused) {
  if (NotHere()) return;
  const CliResult wrong =
      RunCli({"stop", "-p", Pid(), "--at", "syscall:getpriority", "--if", "arg1 = 99999"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("  arg1 = 99999\n       ^"));
  const CliResult late =
      RunCli({"stop", "-p", Pid(), "--at", "syscall:getpriority", "--if", "ret < 0"});
  EXPECT_EQ(late.status, 1);
  EXPECT_THAT(late.err, Not(HasSubstr("armed")));
  const CliResult signal = RunCli({"stop", "-p", Pid(), "--at", "signal:TERM", "--if", "pid > 0"});
  EXPECT_EQ(signal.status, 2);
  EXPECT_THAT(signal.err, HasSubstr("give it with --at syscall:NAME"));
}

}  // namespace
}  // namespace utrace::test
