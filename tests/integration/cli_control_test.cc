// SPDX-License-Identifier: Apache-2.0
// utracectl stop, hold, resume, ps and engine, on running programs.
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"

namespace utrace::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class CliControlTest : public testing::Test {
 protected:
  // Holders in the background outlive a test that failed.
  void TearDown() override { RunCli({"engine", "detach", "--all"}); }
};

TEST_F(CliControlTest, SmokeHoldStopsBeforeTheFirstInstruction) {
  Cli hold({"hold", "--", "sh", "-c", "echo ran; exit 7"});
  ASSERT_TRUE(hold.Says("before the first instruction"));
  EXPECT_THAT(RunCli({"ps"}).out, HasSubstr("held at its exec, before the first instruction"));
  usleep(300'000);
  EXPECT_THAT(hold.Out(), Not(HasSubstr("ran\n")));
  hold.Kill(SIGTERM);
  EXPECT_EQ(hold.Wait(), 7);
  EXPECT_THAT(hold.Out(), HasSubstr("ran\n"));
}

TEST_F(CliControlTest, HoldPassesOnTheProgramsDeath) {
  Cli hold({"hold", "--", "sh", "-c", "kill -USR2 $$"});
  ASSERT_TRUE(hold.Says("before the first instruction"));
  hold.Kill(SIGTERM);
  EXPECT_EQ(hold.Wait(), 128 + SIGUSR2);
}

TEST_F(CliControlTest, SmokeStopAtACallAndResumeByAnother) {
  Opener target;
  const CliResult stop = RunCli(
      {"stop", "-p", target.Name(), "--at", "syscall:openat", "--background", "--wait", "10"});
  ASSERT_EQ(stop.status, 0) << stop.err;
  EXPECT_TRUE(target.StandsStill());
  EXPECT_THAT(RunCli({"ps", "-p", target.Name()}).out, HasSubstr("held at the entry of openat"));
  EXPECT_THAT(RunCli({"ps", "-p", target.Name()}).out, HasSubstr("utracectl-holder"));
  const CliResult resume = RunCli({"resume", target.Name()});
  EXPECT_EQ(resume.status, 0) << resume.err;
  EXPECT_THAT(resume.out, HasSubstr("goes on"));
  EXPECT_TRUE(target.Runs());
}

TEST_F(CliControlTest, SmokeStopAtASignalAndResumeDelivers) {
  Tracee target({"handler"});
  const std::string pid = std::to_string(target.pid());
  for (const int signo : {SIGUSR1, SIGUSR2}) {
    ASSERT_EQ(target.Ask("handle " + std::to_string(signo)), "0");
  }
  for (const std::string at : {"signal:USR2", "signal:any"}) {
    const CliResult stop = RunCli({"stop", "-p", pid, "--at", at, "--background"});
    ASSERT_EQ(stop.status, 0) << stop.err;
    // Not this one: where one is named, others go on.
    if (at == "signal:USR2") {
      target.Kill(SIGUSR1);
      ASSERT_THAT(target.Ask("seen"), testing::StartsWith("1 10"));
    }
    target.Kill(SIGUSR2);
    ASSERT_TRUE(Eventually([&] { return StateOf(target.pid()) == 't'; }));
    EXPECT_TRUE(Eventually([&] {
      return RunCli({"ps", "-p", pid}).out.find("held at SIGUSR2, before its handler runs") !=
             std::string::npos;
    })) << RunCli({"ps", "-p", pid}).out;
    EXPECT_THAT(RunCli({"ps", "-p", pid, "-j"}).out, HasSubstr("\"signal\":\"SIGUSR2\""));
    const CliResult resume = RunCli({"resume", pid});
    EXPECT_EQ(resume.status, 0) << resume.err;
    EXPECT_THAT(target.Ask("seen"), testing::StartsWith(at == "signal:any" ? "3 12" : "2 12"));
  }
}

// Told afterwards where its number might have a handler, and at once where by default none has.
TEST_F(CliControlTest, StopAtASignalThatIsIgnored) {
  Tracee target({"handler"});
  const std::string pid = std::to_string(target.pid());
  ASSERT_EQ(target.Ask("ignore " + std::to_string(SIGUSR1)), "0");
  const auto held_at = [&](const std::string& signal) {
    return Eventually([&] {
      return RunCli({"ps", "-p", pid}).out.find("held at " + signal + ", which is ignored") !=
             std::string::npos;
    });
  };
  ASSERT_EQ(RunCli({"stop", "-p", pid, "--at", "signal:USR1", "--background"}).status, 0);
  target.Kill(SIGUSR1);
  usleep(200'000);
  EXPECT_EQ(StateOf(target.pid()), 'S') << "it was woken";
  target.Tell("word");
  EXPECT_TRUE(held_at("SIGUSR1"));
  EXPECT_EQ(RunCli({"resume", pid}).status, 0);
  EXPECT_NE(target.Hear(), "");

  ASSERT_EQ(RunCli({"stop", "-p", pid, "--at", "signal:WINCH", "--background"}).status, 0);
  target.Kill(SIGWINCH);
  EXPECT_TRUE(held_at("SIGWINCH"));
  EXPECT_EQ(RunCli({"resume", pid}).status, 0);
  EXPECT_NE(target.Ask("word"), "");
}

TEST_F(CliControlTest, ACrashIsHeldUntilItIsLetGo) {
  Tracee target({"handler"});
  const std::string pid = std::to_string(target.pid());
  Cli stop({"stop", "-p", pid, "--at", "signal:SEGV"});
  ASSERT_TRUE(stop.Says("armed: engine"));
  target.Tell("fault 0x1000");
  EXPECT_TRUE(stop.Says("at SIGSEGV, before it dumps core")) << stop.Out();
  EXPECT_EQ(StateOf(target.pid()), 't');
  stop.Kill(SIGTERM);
  EXPECT_EQ(stop.Wait(), 0);
  EXPECT_EQ(WTERMSIG(target.Wait()), SIGSEGV);
}

TEST_F(CliControlTest, SmokeAStopInTheForegroundEndsWithIt) {
  for (const int signal : {SIGTERM, SIGINT, SIGKILL}) {
    Opener target;
    Cli stop({"stop", "-p", target.Name(), "--wait", "10"});
    ASSERT_TRUE(stop.Says("to let go: Ctrl-C"));
    EXPECT_TRUE(target.StandsStill());
    stop.Kill(signal);
    EXPECT_EQ(stop.Wait(), signal == SIGKILL ? 128 + SIGKILL : 0);
    EXPECT_TRUE(target.Runs()) << signal;
  }
}

TEST_F(CliControlTest, BlockedThreadsAreArmedAndInterruptTellsWhatTheyWillSee) {
  Fork blocked([]() -> int {
    epoll_event event;
    return epoll_wait(epoll_create1(0), &event, 1, -1) < 0 ? 3 : 4;
  });
  const std::string pid = std::to_string(blocked.pid());
  ASSERT_TRUE(Eventually([&] { return StateOf(blocked.pid()) == 'S'; }));
  Cli stop({"stop", "-p", pid});
  EXPECT_TRUE(stop.Says("armed: tid " + pid +
                        " blocked in epoll_wait; it will run no further instruction of its own"));
  stop.Kill(SIGTERM);
  EXPECT_EQ(stop.Wait(), 0);
  const CliResult late = RunCli({"stop", "-p", pid, "--wait", "0.5"});
  EXPECT_EQ(late.status, 1);
  EXPECT_THAT(late.err, HasSubstr("blocked in epoll_wait"));
  EXPECT_EQ(StateOf(blocked.pid()), 'S');
  Cli interrupt({"stop", "-p", pid, "--interrupt", "--wait", "10"});
  EXPECT_TRUE(interrupt.Says("interrupt: tid " + pid + ": epoll_wait"));
  ASSERT_TRUE(interrupt.Says("held: "));
  interrupt.Kill(SIGTERM);
  EXPECT_EQ(interrupt.Wait(), 0);
  EXPECT_EQ(blocked.Wait(), 3 << 8);
}

TEST_F(CliControlTest, SmokeAThreadRunsOnlyWhenBothHoldersHaveLetGo) {
  Opener target;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(RunCli({"stop", "-p", target.Name(), "--background", "--wait", "10"}).status, 0);
  }
  const auto engines = ListedEngines();
  ASSERT_EQ(engines.size(), 2u) << RunCli({"engine", "list"}).out;
  const CliResult vague = RunCli({"resume", target.Name()});
  EXPECT_EQ(vague.status, 1);
  EXPECT_THAT(vague.err, HasSubstr("several engines hold it"));
  const CliResult first = RunCli({"resume", target.Name(), "--engine", engines[0].first});
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("is still held by engine " + engines[1].first));
  EXPECT_TRUE(target.StandsStill());
  EXPECT_EQ(RunCli({"resume", target.Name()}).status, 0);
  EXPECT_TRUE(target.Runs());
}

TEST_F(CliControlTest, AHolderThatIsKilledTakesItsHoldWithItAndNoOther) {
  Opener target;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(RunCli({"stop", "-p", target.Name(), "--background", "--wait", "10"}).status, 0);
  }
  const auto engines = ListedEngines();
  ASSERT_EQ(engines.size(), 2u);
  kill(engines[0].second, SIGKILL);
  ASSERT_TRUE(Eventually([] { return ListedEngines().size() == 1; }));
  EXPECT_TRUE(target.StandsStill());
  EXPECT_EQ(ListedEngines()[0], engines[1]);
  kill(engines[1].second, SIGKILL);
  EXPECT_TRUE(target.Runs());
  EXPECT_TRUE(Eventually([] { return ListedEngines().empty(); }));
}

TEST_F(CliControlTest, SmokeWhatStraceTracesCanBeHeld) {
  Opener target;
  Cli strace = Cli::Of({"strace", "-e", "trace=openat", "-p", target.Name()});
  ASSERT_TRUE(strace.Says("openat(AT_FDCWD, \"/etc/hostname\""));
  Cli stop({"stop", "-p", target.Name(), "--at", "syscall:openat", "--wait", "20"});
  ASSERT_TRUE(stop.Says("at the entry of openat"));
  EXPECT_TRUE(target.StandsStill());
  EXPECT_THAT(RunCli({"ps", "-p", target.Name()}).out, HasSubstr(std::to_string(strace.pid())));
  stop.Kill(SIGTERM);
  EXPECT_EQ(stop.Wait(), 0);
  EXPECT_TRUE(target.Runs());
  const size_t before = strace.Err().size();
  EXPECT_TRUE(Eventually([&] { return strace.Err().size() > before + 200; }));
  strace.Kill(SIGINT);
  EXPECT_NE(strace.Wait(), -1);
  EXPECT_TRUE(target.Runs());
}

TEST_F(CliControlTest, WhatIsHeldCanBeTracedByStrace) {
  Opener target;
  ASSERT_EQ(RunCli({"stop", "-p", target.Name(), "--at", "syscall:openat", "--background", "--wait",
                    "20"})
                .status,
            0);
  Cli strace = Cli::Of({"strace", "-e", "trace=openat", "-p", target.Name()});
  ASSERT_TRUE(Eventually([&] {
    return ReadWhole("/proc/" + target.Name() + "/status")
               .find("TracerPid:\t" + std::to_string(strace.pid()) + "\n") != std::string::npos;
  }));
  EXPECT_TRUE(target.StandsStill());
  EXPECT_EQ(RunCli({"resume", target.Name()}).status, 0);
  EXPECT_TRUE(strace.Says("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY"));
  strace.Kill(SIGINT);
  EXPECT_NE(strace.Wait(), -1);
  EXPECT_TRUE(target.Runs());
}

TEST_F(CliControlTest, SmokeDetachAllLetsTheModuleGo) {
  Opener target;
  ASSERT_EQ(RunCli({"stop", "-p", target.Name(), "--background", "--wait", "10"}).status, 0);
  EXPECT_NE(Cli::Of({"rmmod", "utrace"}).Wait(), 0);
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_TRUE(target.Runs());
  // Each holder closes its device when it has read that its engine is gone.
  EXPECT_TRUE(Eventually([] { return Cli::Of({"rmmod", "utrace"}).Wait() == 0; }));
  const CliResult without = RunCli({"stop", "-p", target.Name()});
  EXPECT_EQ(without.status, 1);
  EXPECT_THAT(without.err, HasSubstr("utrace module"));
  EXPECT_EQ(RunCli({"trace", "--", "true"}).status, 0);
  EXPECT_EQ(Cli::Of({"insmod", "/payload/utrace.ko"}).Wait(), 0);
}

}  // namespace
}  // namespace utrace::test
