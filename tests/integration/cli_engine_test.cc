// SPDX-License-Identifier: Apache-2.0
// utracectl engine load and unload: engines in BPF on real programs.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/debugger.h"
#include "tests/integration/identity.h"

namespace utrace::test {
namespace {

using testing::AnyOf;
using testing::ContainsRegex;
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
  // An engine of the gallery on the tracee, which stays.
  void Pin(const std::string& name) {
    const CliResult load =
        RunCli({"engine", "load", "/payload/engines/" + name + ".bpf.o", "-p", Pid(), "--pin"});
    EXPECT_EQ(load.status, 0) << load.err;
  }
  static void Unload(const std::string& name) {
    EXPECT_EQ(RunCli({"engine", "unload", name}).status, 0);
  }
  bool Held() const {
    return Eventually([this] { return StateOf(tracee_.pid()) == 't'; });
  }
  std::string Pid() const { return std::to_string(tracee_.pid()); }
  static std::string Listed() { return RunCli({"engine", "list"}).out; }

  Tracee tracee_{{"actor"}};
};

TEST_F(CliEngine, SmokeItIsOnAProcessUntilItsLoaderDies) {
  if (NotHere()) return;
  Cli load(Load({"--set", "call=getpriority", "--set", "error=ENOSPC", "--set", "every=2"}));
  ASSERT_TRUE(load.Says("faultinject (call=getpriority, error=ENOSPC, every=2) is on "));
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
  EXPECT_THAT(again.err, HasSubstr("loaded already (utracectl engine unload faultinject;"));
  // By another name it is another, and the one attached last decides.
  EXPECT_EQ(RunCli(Load({"--set", "call=getpriority", "--set", "error=ENOSPC", "--name", "second",
                         "--pin"}))
                .status,
            0);
  EXPECT_EQ(Call(), "-5");
  EXPECT_EQ(RunCli({"engine", "unload", "faultinject"}).status, 0);
  EXPECT_EQ(Call(), "-28");
  EXPECT_EQ(RunCli({"engine", "unload", "second"}).status, 0);
  EXPECT_EQ(Call(), "20");
  EXPECT_THAT(Listed(), Not(HasSubstr("faultinject")));
  const CliResult none = RunCli({"engine", "unload", "faultinject"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("there is none of that name"));
}

TEST_F(CliEngine, SmokeAnExpressionChoosesTheCallsThatFail) {
  if (NotHere()) return;
  const CliResult cat =
      RunCli({"engine", "load", kFaults, "-f", "--set", "error=ENOSPC", "--if",
              "call == openat && path ~ '*/host*' && comm == 'cat'", "--", "sh", "-c",
              "cat /etc/hostname; cat /etc/passwd >/dev/null && wc -c </etc/hostname"});
  EXPECT_EQ(cat.status, 0) << cat.err;
  EXPECT_THAT(cat.err, HasSubstr("cat: /etc/hostname: No space left on device"));
  EXPECT_EQ(cat.out, "6\n") << "not by another program, nor of another file";
}

TEST_F(CliEngine, SmokeACallIsPausedByAnExpression) {
  if (NotHere()) return;
  Cli load({"engine", "load", "/payload/engines/pause.bpf.o", "-p", Pid(), "--if",
            "call == getpriority && arg1 == 99999 && tid == " + Pid()});
  ASSERT_TRUE(load.Says("pause is on "));
  EXPECT_EQ(Call(), "20");
  EXPECT_NE(StateOf(tracee_.pid()), 't');
  tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 99999");
  ASSERT_TRUE(Held());
  EXPECT_TRUE(load.Says("call=getpriority arg0=0x0 arg1=0x1869f"));
  EXPECT_THAT(RunCli({"ps", "-p", Pid()}).out, HasSubstr("held at the entry of getpriority"));
  EXPECT_EQ(RunCli({"resume", Pid()}).status, 0);
  EXPECT_EQ(tracee_.Hear(), "-3") << "there is no such process";
  // Once was asked for.
  EXPECT_EQ(tracee_.Ask("call " + std::to_string(SYS_getpriority) + " 0 99999"), "-3");
  load.Kill(SIGINT);
  EXPECT_EQ(load.Wait(), 0);
}

// Whoever runs it: it is no child of the loader's, and was there in no way before.
TEST_F(CliEngine, SmokeEveryExecIsMetAndAnExpressionChooses) {
  if (NotHere()) return;
  Cli load({"engine", "load", "/payload/engines/exechold.bpf.o", "--every-exec", "--if",
            "path ~ '*/uname' && uid == 0 && comm == 'uname'"});
  ASSERT_TRUE(load.Says("exechold is on every process that is run from now on"));
  EXPECT_THAT(Listed(), HasSubstr("on every exec"));
  EXPECT_THAT(RunCli({"engine", "list", "-j"}).out, HasSubstr("\"every_exec\":true"));
  EXPECT_EQ(Cli::Of({"hostname"}).Wait(), 0);
  Cli uname = Cli::Of({"uname"});
  std::string held;
  ASSERT_TRUE(Eventually([&] {
    held = RunCli({"ps"}).out;
    return held.find("held at its exec") != std::string::npos;
  })) << held;
  EXPECT_THAT(held, HasSubstr(std::to_string(uname.pid()) + "  " + std::to_string(uname.pid())));
  EXPECT_THAT(held, HasSubstr("BPF engine exechold"));
  EXPECT_EQ(uname.Out(), "");
  EXPECT_EQ(RunCli({"resume", std::to_string(uname.pid())}).status, 0);
  EXPECT_EQ(uname.Wait(), 0);
  EXPECT_EQ(uname.Out(), "Linux\n");
  // It lets go of whom it holds, and comes to no more.
  Cli second = Cli::Of({"uname"});
  ASSERT_TRUE(Eventually([&] { return StateOf(second.pid()) == 't'; }));
  load.Kill(SIGINT);
  EXPECT_EQ(load.Wait(), 0);
  EXPECT_EQ(second.Wait(), 0);
  EXPECT_EQ(Cli::Of({"uname"}).Wait(), 0);
}

// Else who has said nothing about which could let go of nobody.
TEST_F(CliEngine, WhoIsToLetGoIsNotHeldHimself) {
  if (NotHere()) return;
  Cli load({"engine", "load", "/payload/engines/exechold.bpf.o", "--every-exec"});
  ASSERT_TRUE(load.Says("exechold is on every process"));
  Cli program = Cli::Of({"uname"});
  ASSERT_TRUE(Eventually([&] { return StateOf(program.pid()) == 't'; }));
  EXPECT_EQ(RunCli({"resume", std::to_string(program.pid())}).status, 0);
  EXPECT_EQ(program.Wait(), 0);
  load.Kill(SIGTERM);
  EXPECT_EQ(load.Wait(), 0);
}

TEST_F(CliEngine, SmokeCallsAreSortedByHowLongTheyTook) {
  if (NotHere()) return;
  const CliResult sh = RunCli({"engine", "load", "/payload/engines/syslat.bpf.o", "-f", "--if",
                               "call in (clock_nanosleep, getppid)", "--", "sh", "-c",
                               "sleep 0.3; sleep 0.3; sleep 1.1"});
  EXPECT_EQ(sh.status, 0);
  const std::vector<std::string> lines = LinesOf(sh.err);
  ASSERT_GE(lines.size(), 2u) << sh.err;
  EXPECT_THAT(lines[0], HasSubstr("below_100ms"));
  std::map<std::string, std::vector<int>> table;
  for (size_t i = 1; i < lines.size(); ++i) {
    std::istringstream line(lines[i]);
    std::string call;
    line >> call;
    table[call].resize(9);
    for (int& count : table[call]) line >> count;
    ASSERT_TRUE(line) << lines[i];
  }
  EXPECT_LE(table.size(), 2u) << "of others nothing is asked";
  EXPECT_THAT(table["clock_nanosleep"], testing::ElementsAre(3, 0, 0, 0, 0, 0, 0, 2, 1));
}

// On demand, and at a crash: the calls before it, the last one last.
TEST_F(CliEngine, SmokeTheLastCallsAreToldAtACrash) {
  if (NotHere()) return;
  Cli load({"engine", "load", "/payload/engines/flightrec.bpf.o", "-p", Pid(), "--set",
            "demand=SIGUSR2", "--if", "call in (getpriority, getppid)"});
  ASSERT_TRUE(load.Says("flightrec (demand=SIGUSR2) is on "));
  for (int i = 0; i < 40; ++i) Call();
  tracee_.Kill(SIGUSR2);
  ASSERT_TRUE(Eventually([&] { return LinesOf(load.Out()).size() == 32; })) << load.Out();
  tracee_.Ask("call " + std::to_string(SYS_getppid));
  tracee_.Kill(SIGSEGV);
  EXPECT_EQ(tracee_.Wait() & 0x7f, SIGSEGV) << "not by the signal that asked";
  EXPECT_EQ(load.Wait(), 0);
  const std::vector<std::string> lines = LinesOf(load.Out());
  ASSERT_EQ(lines.size(), 64u) << load.Out();
  EXPECT_THAT(lines[31], HasSubstr("why=SIGUSR2"));
  EXPECT_THAT(lines[31], HasSubstr("call=getpriority arg0=0x0 arg1=0x0 result=20"));
  EXPECT_THAT(lines[62], HasSubstr("call=getpriority"));
  EXPECT_THAT(lines[63], HasSubstr("why=SIGSEGV"));
  EXPECT_THAT(lines[63], HasSubstr("call=getppid"));
}

TEST_F(CliEngine, TheBrakeTakesItOffItsThreads) {
  if (NotHere()) return;
  ASSERT_EQ(RunCli(Load({"--set", "call=getpriority", "--pin"})).status, 0);
  EXPECT_EQ(Call(), "-5");
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_EQ(Call(), "20");
  EXPECT_EQ(RunCli({"engine", "unload", "faultinject"}).status, 0);
}

TEST_F(CliEngine, SmokeWhatItHoldsIsSeenAndLetGo) {
  if (NotHere()) return;
  Pin("crashcatch");
  EXPECT_THAT(Listed(), HasSubstr("1 thread of "));
  EXPECT_THAT(Listed(), HasSubstr("0 held, pinned"));
  tracee_.Kill(SIGSEGV);
  ASSERT_TRUE(Held());
  EXPECT_THAT(RunCli({"ps"}).out, HasSubstr("held at SIGSEGV"));
  EXPECT_THAT(RunCli({"ps"}).out, HasSubstr("BPF engine crashcatch for "));
  EXPECT_THAT(RunCli({"ps", "-j"}).out, HasSubstr("\"name\":\"crashcatch\",\"owner\":null"));
  EXPECT_THAT(Listed(), HasSubstr("1 held, pinned"));
  EXPECT_THAT(RunCli({"engine", "show", "crashcatch"}).out, HasSubstr("held at SIGSEGV"));
  EXPECT_THAT(RunCli({"engine", "show", "crashcatch", "-j"}).out,
              HasSubstr("\"event\":\"signal-core\""));
  // Another user sees that it is held, not where, and cannot let go.
  EXPECT_THAT(RunCliAs(kNobody, {"ps", "-p", Pid()}).out, Not(HasSubstr("SIGSEGV")));
  const CliResult refused = RunCliAs(kNobody, {"resume", Pid()});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("BPF engine crashcatch, which is another user's"));
  const CliResult wrong = RunCli({"resume", Pid(), "--engine", "nosuch"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("engine nosuch does not hold it"));
  EXPECT_EQ(StateOf(tracee_.pid()), 't');
  EXPECT_EQ(RunCli({"resume", Pid(), "--engine", "crashcatch"}).status, 0);
  EXPECT_EQ(tracee_.Wait() & 0x7f, SIGSEGV);
  EXPECT_TRUE(Eventually([] { return Listed().find("no thread") != std::string::npos; }));
  Unload("crashcatch");
}

TEST_F(CliEngine, WhatItTellsIsPrintedByName) {
  if (NotHere()) return;
  Cli load(
      {"engine", "load", "/payload/engines/crashcatch.bpf.o", "-p", Pid(), "--set", "term=true"});
  ASSERT_TRUE(load.Says("crashcatch (term=true) is on "));
  tracee_.Kill(SIGTERM);
  ASSERT_TRUE(load.Says("crashcatch: pid=" + Pid() + " tid=" + Pid() + " comm=\"actor\" "));
  EXPECT_TRUE(load.Says(" signal=SIGTERM code=0 address=0x0 ip=0x"));
  EXPECT_TRUE(Held());
  EXPECT_EQ(RunCli({"resume", Pid()}).status, 0);
  EXPECT_EQ(tracee_.Wait(), SIGTERM);
  EXPECT_EQ(load.Wait(), 0);
  // A program's own output is not mixed with it.
  const std::string file = testing::TempDir() + "/told";
  Cli sh({"engine", "load", "/payload/engines/crashcatch.bpf.o", "-o", file, "--", "sh", "-c",
          "kill -ABRT $$"});
  ASSERT_TRUE(FileSays(file, "comm=\"sh\" signal=SIGABRT "));
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_EQ(sh.Wait(), 128 + SIGABRT);
  EXPECT_EQ(sh.Out(), "");
}

TEST_F(CliEngine, SmokeTheStackOfWhatItHoldsIsPrinted) {
  if (NotHere()) return;
  Cli crash(
      {"engine", "load", "/payload/engines/crashcatch.bpf.o", "--", TraceePath("caller"), "null"});
  ASSERT_TRUE(crash.Says("sample_outer+0x"));
  EXPECT_THAT(crash.Err(),
              ContainsRegex("signal=SIGSEGV .*\n"
                            "    #0  0x0000000000000000  \\?\\?\n"
                            "    #1  0x[0-9a-f]+  sample_inner\\+0x[0-9a-f]+ in caller\n"
                            "    #2  0x[0-9a-f]+  sample_middle\\+"));
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_EQ(crash.Wait(), 128 + SIGSEGV);
}

// Where the number that a record has is another thread's, or nobody's.
TEST_F(CliEngine, NoStackOfAnotherIsPrintedInAPidNamespace) {
  if (NotHere()) return;
  Cli crash = Cli::Of({"unshare", "--pid", "--fork", "--mount-proc", "utracectl", "engine", "load",
                       "/payload/engines/crashcatch.bpf.o", "--", TraceePath("caller"), "null"});
  ASSERT_TRUE(crash.Says("no stack: utracectl is in a pid namespace of its own"));
  EXPECT_THAT(crash.Err(), Not(HasSubstr("    #0 ")));
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_EQ(crash.Wait(), 128 + SIGSEGV);
}

TEST_F(CliEngine, SmokeADebuggerGetsWhatItHolds) {
  if (NotHere()) return;
  Pin("crashcatch");
  tracee_.Kill(SIGSEGV);
  ASSERT_TRUE(Held());
  Debugger debugger(tracee_.pid());
  debugger.Seize();
  debugger.Interrupt();
  ASSERT_EQ(debugger.Stop(), SIGSEGV);
  EXPECT_THAT(RunCli({"ps"}).out, Not(HasSubstr("held at")));
  // It lets the program go without the signal: nobody holds it any more.
  ASSERT_EQ(debugger.Go(PTRACE_DETACH), 0);
  EXPECT_EQ(Call(), "20");
  Unload("crashcatch");
}

// Of a real compiler's kind: a shell, a pipeline, children of children.
TEST_F(CliEngine, WhoBegetsWhomIsTold) {
  if (NotHere()) return;
  const std::string file = testing::TempDir() + "/tree";
  const CliResult sh = RunCli({"engine", "load", "/payload/engines/forktree.bpf.o", "-f", "-o",
                               file, "--", "sh", "-c", "/bin/true | (uname | cat); exit 3"});
  EXPECT_EQ(sh.status, 3);
  EXPECT_EQ(sh.out, "Linux\n");
  struct Life {
    std::string parent;
    std::vector<std::string> runs;
    std::string status;
  };
  std::map<std::string, Life> lives;
  const auto field = [](const std::string& line, const std::string& name) {
    const size_t at = line.find(" " + name + "=") + name.size() + 2;
    return line.substr(at, line.find(' ', at) - at);
  };
  for (const std::string& line : LinesOf(ReadWhole(file))) {
    ASSERT_EQ(line.rfind("forktree: time_ns=", 0), 0u) << line;
    Life& life = lives[field(line, "pid")];
    const std::string what = field(line, "what");
    if (what == "born") life.parent = field(line, "parent");
    if (what == "runs") life.runs.push_back(field(line, "comm"));
    if (what == "ends") life.status = field(line, "status");
  }
  std::vector<std::string> names;
  std::string root;
  for (const auto& [pid, life] : lives) {
    for (const std::string& name : life.runs) names.push_back(name);
    if (life.parent.empty()) root = pid;
    EXPECT_EQ(life.status, life.parent.empty() ? "0x300" : "0x0") << pid;
    // Each but the first is the child of another.
    EXPECT_TRUE(life.parent.empty() || lives.count(life.parent) == 1) << pid;
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("\"sh\"", "\"true\"", "\"uname\"", "\"cat\""));
  EXPECT_THAT(lives[root].runs, testing::ElementsAre("\"sh\""));
}

TEST_F(CliEngine, WhatItCountsIsATableAtTheEnd) {
  if (NotHere()) return;
  const std::string file = testing::TempDir() + "/counts";
  const CliResult sh =
      RunCli({"engine", "load", "/payload/engines/syscount.bpf.o", "-f", "-o", file, "--", "sh",
              "-c", "for i in 1 2 3 4 5; do cat /no/such; done"});
  EXPECT_EQ(sh.status, 1);
  const std::vector<std::string> lines = LinesOf(ReadWhole(file));
  ASSERT_GT(lines.size(), 5u);
  EXPECT_THAT(lines[0], testing::MatchesRegex("call +calls +errors +total_ns +max_ns"));
  std::map<std::string, std::vector<unsigned long long>> table;
  unsigned long long before = ~0ull;
  for (size_t i = 1; i < lines.size(); ++i) {
    std::istringstream line(lines[i]);
    std::string call;
    std::vector<unsigned long long> counts(4);
    line >> call;
    for (auto& count : counts) line >> count;
    ASSERT_TRUE(line) << lines[i];
    EXPECT_LE(counts[0], before) << lines[i];
    EXPECT_LE(counts[1], counts[0]) << lines[i];
    EXPECT_LE(counts[3], counts[2]) << lines[i];
    before = counts[0];
    table[call] = counts;
  }
  // Of the shell and each cat; who looks for a program may try several places.
  ASSERT_EQ(table.count("execve") + table.count("exit_group") + table.count("openat"), 3u);
  EXPECT_EQ(table["execve"][0] - table["execve"][1], 6u);
  EXPECT_EQ(table["exit_group"][0], 6u);
  EXPECT_EQ(table["exit_group"][1], 0u);
  EXPECT_GE(table["openat"][1], 5u);
  EXPECT_GT(table["openat"][0], table["openat"][1]);
}

TEST_F(CliEngine, GdbShowsTheHeldInstruction) {
  if (NotHere()) return;
  Cli load({"engine", "load", "/payload/engines/crashcatch.bpf.o", "-p", Pid()});
  ASSERT_TRUE(load.Says("crashcatch is on "));
  tracee_.Kill(SIGSEGV);
  ASSERT_TRUE(load.Says(" r15="));
  const std::string told = load.Out();
  const size_t at = told.find(" ip=") + 4;
  const std::string ip = told.substr(at, told.find(' ', at) - at);
  Cli gdb = Cli::Of({"gdb", "-nx", "-batch", "-p", Pid(), "-ex", "printf \"pc 0x%lx\\n\", $pc",
                     "-ex", "printf \"signal %d\\n\", $_siginfo.si_signo", "-ex", "kill"});
  EXPECT_EQ(gdb.Wait(120'000), 0) << gdb.Err();
  EXPECT_THAT(gdb.Out(), HasSubstr("pc " + ip + "\n"));
  EXPECT_THAT(gdb.Out(), HasSubstr("signal 11\n"));
  EXPECT_EQ(tracee_.Wait() & 0x7f, SIGKILL);
}

TEST_F(CliEngine, AProgramOfThatNameIsHeldBeforeItsFirstInstruction) {
  if (NotHere()) return;
  Cli sh({"engine", "load", "/payload/engines/exechold.bpf.o", "-f", "--set", "name=uname", "--",
          "sh", "-c", "hostname; uname; echo done"});
  // The one of that name, and none before it.
  std::string held;
  ASSERT_TRUE(Eventually([&] {
    held = RunCli({"ps"}).out;
    return held.find("held at its exec") != std::string::npos;
  })) << held;
  EXPECT_THAT(held, HasSubstr("BPF engine exechold"));
  std::string pid;
  for (const std::string& line : LinesOf(held)) {
    if (line.find("held at its exec") == std::string::npos) continue;
    EXPECT_TRUE(pid.empty()) << held;
    EXPECT_THAT(line, HasSubstr("uname"));
    pid = line.substr(0, line.find(' '));
  }
  EXPECT_EQ(sh.Out().find("Linux"), std::string::npos);
  EXPECT_EQ(RunCli({"resume", pid}).status, 0);
  EXPECT_EQ(sh.Wait(), 0);
  EXPECT_THAT(sh.Out(), HasSubstr("Linux\ndone\n"));
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

TEST_F(CliEngine, WhetherTheKernelTakesItIsSaidInWords) {
  if (NotHere()) return;
  const CliResult taken = RunCli({"engine", "verify", "/payload/engines/template.bpf.o"});
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_EQ(
      taken.out,
      "/payload/engines/template.bpf.o: this kernel takes engine template (call=-1, error=0), "
      "which hears of syscall-entry\n");
  EXPECT_THAT(Listed(), Not(HasSubstr("template")));
  const CliResult refused = RunCli({"engine", "verify", "/payload/engines/refused.bpf.o"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("the kernel's verifier refuses on_entry, "));
  EXPECT_THAT(refused.err, HasSubstr("*(const u32 *)regs->si"));
  // 7.3 says it in other words.
  EXPECT_THAT(refused.err, AnyOf(HasSubstr("R2 invalid mem access 'scalar'"),
                                 HasSubstr("invalid dereference of R2 (an integer scalar)")));
  EXPECT_THAT(refused.err, HasSubstr("the thread's memory is read by bpf_utrace_read_user()"));
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
      {Load({"--set", "what=1"}), "it has call, error, gives, "},
      {Load({"--name", "much-too-long-a-name"}), "a name has 1 to 15 letters, digits, - and _"},
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
