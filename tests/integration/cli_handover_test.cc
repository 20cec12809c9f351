// SPDX-License-Identifier: Apache-2.0
// utracectl stop and ps when a debugger comes to a thread that is held.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/debugger.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class CliHandover : public testing::Test {
 protected:
  std::vector<std::string> Stop(const std::string& option = "") const {
    std::vector<std::string> words{"stop", "-p", std::to_string(tracee_.pid()), "--at",
                                   "syscall:getpriority"};
    if (!option.empty()) words.push_back(option);
    return words;
  }
  void Trigger(Cli& stop) {
    ASSERT_TRUE(stop.Says("armed: "));
    tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
    ASSERT_TRUE(stop.Says("held: "));
    debugger_.Seize();
    debugger_.Interrupt();
  }
  // As the holder names this test, by the name of its thread.
  std::string Us() const { return "(" + std::to_string(getpid()) + ")"; }
  std::string Tid() const { return std::to_string(tracee_.pid()); }

  Tracee tracee_{{"actor"}};
  // This test.
  Debugger debugger_{tracee_.pid()};
};

TEST_F(CliHandover, SmokeTheDebuggerGetsIt) {
  Cli stop(Stop("--handover"));
  Trigger(stop);
  ASSERT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  EXPECT_TRUE(stop.Says("handed over: tid " + Tid() + ", to "));
  EXPECT_THAT(stop.Out(), HasSubstr(Us()));
  EXPECT_THAT(stop.Out(), Not(HasSubstr("resumed by another")));
  // Nothing is left to hold.
  EXPECT_EQ(stop.Wait(), 0);
  EXPECT_EQ(tracee_.Hear(100), "");
  ASSERT_EQ(debugger_.Go(PTRACE_DETACH), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(CliHandover, OrWaitsAndItIsSaidWhoDoes) {
  Cli stop(Stop());
  Trigger(stop);
  ASSERT_TRUE(stop.Says("awaited: tid " + Tid() + ": "));
  EXPECT_TRUE(stop.Says(Us() + " waits until it is let go"));
  EXPECT_EQ(debugger_.Stop(200), 0);
  EXPECT_THAT(RunCli({"ps"}).out, HasSubstr("held at the entry of getpriority, its ptracer waits"));
  EXPECT_THAT(RunCli({"ps", "-j"}).out, HasSubstr("\"debugger\":" + std::to_string(getpid())));
  EXPECT_EQ(RunCli({"resume", Tid()}).status, 0);
  EXPECT_EQ(debugger_.Stop(), Debugger::kInterrupted);
  ASSERT_EQ(debugger_.Go(PTRACE_DETACH), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

}  // namespace
}  // namespace utrace::test
