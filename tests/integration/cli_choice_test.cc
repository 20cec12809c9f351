// SPDX-License-Identifier: Apache-2.0
// utracectl stop --if: which call a thread is held at is decided in the kernel.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
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
  void LetGo() const {
    const CliResult resume = RunCli({"resume", Pid()});
    EXPECT_EQ(resume.status, 0) << resume.err;
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
  LetGo();
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
  LetGo();
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
  LetGo();
  EXPECT_EQ(tracee_.Hear(), "-3");
  // The holder sees that nothing is left.
  EXPECT_TRUE(Eventually([] {
    return RunCli({"engine", "list"}).out.find("stop-") == std::string::npos;
  }));
}

std::set<int> TidsOf(const std::string& json) {
  std::set<int> tids;
  const std::regex number("\"tid\":([0-9]+)");
  for (std::sregex_iterator at(json.begin(), json.end(), number), end; at != end; ++at) {
    tids.insert(std::stoi((*at)[1]));
  }
  return tids;
}

// Two of the guest's own, one below the other.
class Cgroups {
 public:
  Cgroups() { std::filesystem::create_directories(kRoot + kInner); }
  ~Cgroups() {
    // Empty once its processes are reaped.
    for (const std::string& path : {kRoot + kInner, kRoot + kOuter}) {
      EXPECT_TRUE(Eventually([&] { return rmdir(path.c_str()) == 0; })) << path;
    }
  }
  static void Move(pid_t pid, const std::string& cgroup) {
    std::ofstream(kRoot + cgroup + "/cgroup.procs") << pid;
  }

  // Until all in it are, or none.
  static bool Freeze(bool frozen) {
    std::ofstream(kRoot + kOuter + "/cgroup.freeze") << frozen << std::flush;
    return Eventually([&] {
      std::ifstream events(kRoot + kOuter + "/cgroup.events");
      const std::string text((std::istreambuf_iterator<char>(events)), {});
      return text.find(frozen ? "frozen 1" : "frozen 0") != std::string::npos;
    });
  }
  static std::set<int> Threads() {
    std::ifstream threads(kRoot + kInner + "/cgroup.threads");
    return {std::istream_iterator<int>(threads), {}};
  }

  static const inline std::string kRoot = "/sys/fs/cgroup";
  static const inline std::string kOuter = "/choice";
  static const inline std::string kInner = "/choice/inner";
};

TEST(CliChoiceCgroup, SmokeOfATraceItIsTheCallsInIt) {
  const Cgroups cgroups;
  const std::string move = "echo $$ >" + Cgroups::kRoot + Cgroups::kInner + "/cgroup.procs; ";
  const CliResult trace = RunCli(
      {"trace", "--if",
       "call == chdir && (cgroup == '/choice' || path == '/usr' && "
       "cgroup != '/sys/fs/cgroup/choice/inner/' && cgroup == '/')",
       "--", "sh", "-c",
       "cd /usr; cd /etc; " + move + "cd /usr; cd /tmp; echo $$ >/sys/fs/cgroup/cgroup.procs"});
  EXPECT_EQ(trace.status, 0) << trace.err;
  EXPECT_THAT(trace.err, ContainsRegex("^chdir\\(\"/usr\"\\)[^\n]*\nchdir\\(\"/usr\"\\)[^\n]*\n"
                                       "chdir\\(\"/tmp\"\\)[^\n]*\n"));
  EXPECT_THAT(trace.err, Not(HasSubstr("/etc")));
}

TEST_F(CliChoice, SmokeACgroupIsThatOfTheThreadOrOneAbove) {
  if (NotHere()) return;
  const Cgroups cgroups;
  const auto answer = [&](const std::string& expression) {
    Cli inject({"inject", "getpriority:retval=4711:if=" + expression, "-p", Pid()});
    EXPECT_TRUE(inject.Says("into actor"));
    return tracee_.Ask(Call(0));
  };
  EXPECT_EQ(answer("cgroup == '/choice'"), "20");
  Cgroups::Move(tracee_.pid(), Cgroups::kInner);
  EXPECT_EQ(answer("cgroup == '/choice'"), "4711");
  EXPECT_EQ(answer("cgroup == '/choice/inner'"), "4711");
  EXPECT_EQ(answer("cgroup != '/choice/inner'"), "20");
  Cgroups::Move(tracee_.pid(), Cgroups::kOuter);
  EXPECT_EQ(answer("cgroup == '/choice'"), "4711");
  EXPECT_EQ(answer("cgroup == '/choice/inner'"), "20");
  EXPECT_EQ(answer("cgroup != '/choice/inner'"), "4711");
  Cgroups::Move(tracee_.pid(), "");
}

// An engine on all that is in a control group, also below; what comes to it, at its next exec.
TEST_F(CliChoice, SmokeAnEngineIsOnTheProcessesOfACgroup) {
  if (NotHere()) return;
  const Cgroups cgroups;
  Tracee inside({"actor"});
  Tracee comes({"actor"});
  Cgroups::Move(inside.pid(), Cgroups::kInner);
  Cli load({"engine", "load", "/payload/engines/faultinject.bpf.o", "--cgroup", "/choice", "-f",
            "--set", "call=getpriority", "--set", "error=ENOSPC"});
  ASSERT_TRUE(load.Says("is on the processes of the cgroup /choice, until Ctrl-C")) << load.Err();
  EXPECT_EQ(inside.Ask(Call(0)), "-28");
  EXPECT_EQ(tracee_.Ask(Call(0)), "20");
  const CliResult list = RunCli({"engine", "list"});
  EXPECT_THAT(list.out, HasSubstr("on a cgroup"));
  EXPECT_THAT(RunCli({"engine", "list", "-j"}).out, HasSubstr("\"cgroup\":true"));
  // Elsewhere it is not met at an exec.
  EXPECT_EQ(tracee_.Ask("exec"), "ready");
  EXPECT_EQ(tracee_.Ask(Call(0)), "20");
  Cgroups::Move(comes.pid(), Cgroups::kOuter);
  EXPECT_EQ(comes.Ask(Call(0)), "20");
  EXPECT_EQ(comes.Ask("exec"), "ready");
  EXPECT_EQ(comes.Ask(Call(0)), "-28");
  // Who leaves keeps it.
  Cgroups::Move(inside.pid(), "");
  EXPECT_EQ(inside.Ask(Call(0)), "-28");
  load.Kill(SIGINT);
  EXPECT_EQ(load.Wait(), 0) << load.Err();
  EXPECT_EQ(inside.Ask(Call(0)), "20");
  Cgroups::Move(comes.pid(), "");
}

// Also those that are multiplying just now: nobody is left out.
TEST_F(CliChoice, OfACgroupNobodyIsMissed) {
  if (NotHere()) return;
  const Cgroups cgroups;
  Cli shell = Cli::Of({"sh", "-c", "while :; do sleep 0.3 & sleep 0.01; done"});
  Cgroups::Move(shell.pid(), Cgroups::kInner);
  size_t most = 0;
  for (int i = 0; i < 5; ++i) {
    Cli load({"engine", "load", "/payload/engines/forktree.bpf.o", "--cgroup", "/choice", "-f",
              "-o", "/dev/null"});
    ASSERT_TRUE(load.Says("is on the processes of")) << load.Err();
    ASSERT_TRUE(Cgroups::Freeze(true));
    const std::set<int> there = Cgroups::Threads();
    most = std::max(most, there.size());
    std::set<int> in = TidsOf(RunCli({"engine", "show", "forktree", "-j"}).out);
    for (const int tid : there) EXPECT_TRUE(in.contains(tid)) << tid;
    ASSERT_TRUE(Cgroups::Freeze(false));
    load.Kill(SIGINT);
    EXPECT_EQ(load.Wait(), 0) << load.Err();
  }
  EXPECT_GT(most, 1u);
  shell.Kill(SIGKILL);
  shell.Wait();
}

TEST_F(CliChoice, WhatIsNoCgroupIsRefused) {
  if (NotHere()) return;
  for (const char* path : {"/nosuch", "/../etc", "/cgroup.procs"}) {
    const CliResult load = RunCli({"engine", "load", "/payload/engines/faultinject.bpf.o",
                                   "--cgroup", path, "--set", "call=getpriority"});
    EXPECT_EQ(load.status, 1) << path;
    EXPECT_THAT(load.err, HasSubstr(std::string("choose the processes of the cgroup ") + path));
  }
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
