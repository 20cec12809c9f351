// SPDX-License-Identifier: Apache-2.0
// utracectl trace and record beside the module: where calls come from, and what is shown.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "userspace/utracectl/testing/json_schema.h"

namespace utrace::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr char kRaw[] = "tp_name:\tsys_exit\n";
constexpr char kModule[] = "tp_name:\tutrace_syscall_exit\n";

// Of all tracepoints that a process has a BPF program on, as the kernel tells it.
bool HasTracepoint(pid_t pid, const std::string& line) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/fdinfo/";
  for (int fd = 0; fd < 100; ++fd) {
    if (ReadWhole(folder + std::to_string(fd)).find(line) != std::string::npos) return true;
  }
  return false;
}

class CliTraceTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const std::string& name : files_) unlink(name.c_str());
  }
  std::string File(const std::string& name) {
    files_.push_back("/tmp/cli_trace_test." + std::to_string(getpid()) + "." + name);
    return files_.back();
  }
  std::vector<std::string> files_;
};

TEST_F(CliTraceTest, SmokeCallsComeFromTheModulesHooks) {
  const std::string file = File("lines");
  const CliResult trace = RunCli({"trace", "-v", "-f", "-o", file, "--", "sh", "-c",
                                  "ls -l /etc | wc -l; cat /etc/hostname; exit 3"});
  EXPECT_EQ(trace.status, 3);
  EXPECT_THAT(trace.err, HasSubstr("calls come from the utrace module's hooks"));
  EXPECT_THAT(trace.err, ContainsRegex("utracectl: [0-9]+ events, 0 lost\n$"));
  const std::string lines = ReadWhole(file);
  EXPECT_THAT(lines, HasSubstr("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 3"));
  EXPECT_THAT(lines, ContainsRegex("exit_group\\(3\\) +=\\ \\?"));
  EXPECT_THAT(lines, HasSubstr("+++ exited with 3 +++"));
}

TEST_F(CliTraceTest, NobodyElsePaysWhileAnotherIsTraced) {
  Opener target;
  Cli trace({"trace", "-p", target.Name()});
  ASSERT_TRUE(trace.Says("openat(AT_FDCWD, \"/etc/hostname\""));
  EXPECT_TRUE(HasTracepoint(trace.pid(), kModule));
  EXPECT_FALSE(HasTracepoint(trace.pid(), kRaw));
  trace.Kill(SIGINT);
  EXPECT_EQ(trace.Wait(), 0);
  EXPECT_TRUE(target.Runs());
}

// Decided in the kernel, at the module's hook and at the raw tracepoint.
TEST_F(CliTraceTest, SmokeAnExpressionChoosesTheCalls) {
  const std::vector<std::string> sources[] = {{}, {"--no-module"}};
  for (const std::vector<std::string>& source : sources) {
    const std::string file = File("chosen");
    std::vector<std::string> line = {
        "trace", "-f", "-o", file, "--if", "call == openat && path ~ '/etc/host*' && !failed"};
    line.insert(line.end(), source.begin(), source.end());
    line.insert(line.end(), {"--", "sh", "-c", "cat /etc/hostname /etc/host.none; true; exit 3"});
    const CliResult trace = RunCli(line);
    EXPECT_EQ(trace.status, 3) << trace.err;
    std::vector<std::string> calls;
    for (const std::string& text : LinesOf(ReadWhole(file))) {
      if (text.find("+++") == std::string::npos && text.find("---") == std::string::npos) {
        calls.push_back(text);
      }
    }
    ASSERT_EQ(calls.size(), 1u) << ReadWhole(file);
    EXPECT_THAT(calls[0], HasSubstr("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 3"));
  }
}

// Kernels say different things of its length.
TEST_F(CliTraceTest, SmokeAnEmptyPathIsAText) {
  const std::string file = File("empty");
  EXPECT_EQ(RunCli({"trace", "-o", file, "--if", "path == ''", "--", "cat", ""}).status, 1);
  EXPECT_THAT(ReadWhole(file), ContainsRegex("openat\\(AT_FDCWD, \"\", O_RDONLY\\) += -1 ENOENT"));
}

TEST_F(CliTraceTest, WithoutTheModuleTheRawTracepointServes) {
  Opener target;
  Cli trace({"trace", "--no-module", "-v", "-p", target.Name()});
  ASSERT_TRUE(trace.Says("openat(AT_FDCWD, \"/etc/hostname\""));
  EXPECT_FALSE(HasTracepoint(trace.pid(), kModule));
  EXPECT_TRUE(HasTracepoint(trace.pid(), kRaw));
  EXPECT_TRUE(trace.Says("calls come from the raw tracepoint"));
}

TEST_F(CliTraceTest, HoldsOfOthersAreShownAtTheirPlace) {
  Opener target;
  Cli trace({"trace", "-p", target.Name()});
  ASSERT_TRUE(trace.Says("openat("));
  Cli stop({"stop", "-p", target.Name(), "--at", "syscall:openat"});
  ASSERT_TRUE(trace.Says("--- utrace: held at the entry of openat ---\n"));
  EXPECT_THAT(trace.Out(), Not(HasSubstr("resumed ---")));
  stop.Kill(SIGTERM);
  EXPECT_EQ(stop.Wait(), 0);
  ASSERT_TRUE(trace.Says("--- utrace: resumed ---\n"));
  trace.Kill(SIGINT);
  EXPECT_EQ(trace.Wait(), 0);
  // A call that is held for longer than a moment is told as unfinished meanwhile.
  EXPECT_THAT(trace.Out(),
              ContainsRegex("--- utrace: held at the entry of openat ---\n"
                            "(openat\\([^\n]*, O_RDONLY <unfinished \\.\\.\\.>\n)?"
                            "--- utrace: resumed ---\n"
                            "(openat\\([^\n]*, O_RDONLY|<\\.\\.\\. openat resumed>)\\) +="));
}

TEST_F(CliTraceTest, TheReapingOfAProcessIsTheLastOfIt) {
  const CliResult trace = RunCli({"trace", "-v", "--", "/bin/true"});
  EXPECT_EQ(trace.status, 0);
  EXPECT_THAT(trace.err, ContainsRegex("\\+\\+\\+ exited with 0 \\+\\+\\+\n--- reaped ---\n"
                                       "utracectl: [0-9]+ events, 0 lost\n$"));
}

TEST_F(CliTraceTest, JobControlIsShownAtItsPlace) {
  Opener target;
  Cli trace({"trace", "-p", target.Name()});
  ASSERT_TRUE(trace.Says("openat("));
  ASSERT_EQ(kill(target.pid(), SIGSTOP), 0);
  ASSERT_TRUE(trace.Says("--- stopped by SIGSTOP ---\n"));
  EXPECT_TRUE(target.StandsStill());
  EXPECT_THAT(trace.Out(), Not(HasSubstr("--- continued ---")));
  ASSERT_EQ(kill(target.pid(), SIGCONT), 0);
  ASSERT_TRUE(trace.Says("--- continued ---\n"));
  EXPECT_TRUE(target.Runs());
  trace.Kill(SIGINT);
  EXPECT_EQ(trace.Wait(), 0);
  EXPECT_THAT(trace.Out(), HasSubstr("--- stopped by SIGSTOP ---\n--- continued ---\n"));
}

TEST_F(CliTraceTest, SmokeEveryJsonLineFitsTheSchema) {
  const std::string file = File("lines");
  Cli trace({"trace", "-j", "-f", "-o", file, "--", "sh", "-c",
             "cat /no/such; /bin/sleep 0.5; while [ ! -e " + file +
                 ".go ]; do sleep 0.1; done; kill -TERM $$"});
  File("lines.go");
  ASSERT_TRUE(FileSays(file, "\"pending\""));
  const std::string first = ReadWhole(file);
  const size_t at = first.find("\"pid\":") + 6;
  const std::string pid = first.substr(at, first.find(',', at) - at);
  Cli stop({"stop", "-p", pid, "--wait", "10"});
  ASSERT_TRUE(stop.Says("to let go"));
  ASSERT_TRUE(FileSays(file, "\"stop\""));
  stop.Kill(SIGTERM);
  EXPECT_EQ(stop.Wait(), 0);
  close(open((file + ".go").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_EQ(trace.Wait(), 128 + SIGTERM);
  const JsonSchema schema;
  std::map<std::string, int> kinds;
  for (const std::string& line : LinesOf(ReadWhole(file))) {
    ASSERT_EQ(schema.Complaint(line), "");
    const size_t ev = line.find("\"ev\":\"") + 6;
    ++kinds[line.substr(ev, line.find('"', ev) - ev)];
  }
  for (const char* kind :
       {"syscall", "pending", "exec", "fork", "exit", "signal", "stop", "resume", "end"}) {
    EXPECT_GT(kinds[kind], 0) << kind;
  }
  EXPECT_EQ(kinds["death"], kinds["exit"]);
  EXPECT_EQ(kinds["reap"], kinds["exit"]);
  EXPECT_EQ(kinds["lost"], 0);
}

class CliQuietTest : public CliTraceTest, public testing::WithParamInterface<const char*> {};

// Neither EINTR nor a stop, and nothing for its parent to see.
TEST_P(CliQuietTest, SmokeABlockedProcessDoesNotSeeThatItIsTraced) {
  Tracee actor({"actor"});
  actor.Tell(std::string("block ") + GetParam());
  ASSERT_TRUE(Eventually([&] { return StateOf(actor.pid()) == 'S'; }));
  usleep(100'000);  // out of reading its order, and in the call it is for
  const long switches = SwitchesOf(actor.pid());
  Cli trace({"trace", "-v", "-f", "-p", std::to_string(actor.pid())});
  ASSERT_TRUE(trace.Says("calls come from the utrace module's hooks")) << trace.Err();
  ASSERT_TRUE(trace.Says("<unfinished ...>"));
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(StateOf(actor.pid()), 'S');
    usleep(1000);
  }
  trace.Kill(SIGINT);
  EXPECT_EQ(trace.Wait(), 0);
  EXPECT_EQ(actor.Hear(300), "") << "the call came back";
  // Most calls are begun anew when they were broken, and their program sees nothing of it.
  EXPECT_EQ(SwitchesOf(actor.pid()), switches) << "it was woken";
  EXPECT_EQ(StateOf(actor.pid()), 'S');
  siginfo_t seen{};
  EXPECT_EQ(waitid(P_PID, static_cast<id_t>(actor.pid()), &seen,
                   WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT),
            0);
  EXPECT_EQ(seen.si_pid, 0);
  EXPECT_THAT(trace.Out(), Not(HasSubstr("resumed>")));
}

INSTANTIATE_TEST_SUITE_P(Calls, CliQuietTest,
                         testing::Values("read", "futex", "epoll", "nanosleep", "wait4"),
                         [](const auto& call) { return std::string(call.param); });

TEST_F(CliTraceTest, TheBrakeTakesTheModuleAwayAndTheTraceGoesOn) {
  Opener target;
  Cli trace({"trace", "-p", target.Name()});
  ASSERT_TRUE(trace.Says("openat("));
  ASSERT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  ASSERT_TRUE(Eventually([&] { return HasTracepoint(trace.pid(), kRaw); }));
  EXPECT_FALSE(HasTracepoint(trace.pid(), kModule));
  const size_t before = trace.Out().size();
  EXPECT_TRUE(Eventually([&] {
    return trace.Out().find("openat(AT_FDCWD, \"/etc/hostname\"", before) != std::string::npos;
  }));
  trace.Kill(SIGINT);
  EXPECT_EQ(trace.Wait(), 0);
  EXPECT_THAT(trace.Err(), HasSubstr("calls come from the raw tracepoint since"));
  EXPECT_THAT(trace.Err(), ContainsRegex("events, [1-9][0-9]* lost"));
}

TEST_F(CliTraceTest, TheFirstFileATracedProgramOpensIsItsThird) {
  const CliResult trace = RunCli({"trace", "--", "cat", "/etc/hostname"});
  EXPECT_EQ(trace.status, 0);
  EXPECT_THAT(trace.err, HasSubstr("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 3\n"));
}

TEST_F(CliTraceTest, ARecordingReportsWhatATraceShows) {
  const std::string file = File("rec");
  const CliResult record =
      RunCli({"record", "-v", "-f", "-o", file, "--", "sh", "-c", "cat /etc/hostname; exit 5"});
  EXPECT_EQ(record.status, 5);
  EXPECT_THAT(record.err, HasSubstr("calls come from the utrace module's hooks"));
  const CliResult report = RunCli({"report", file});
  EXPECT_EQ(report.status, 0);
  EXPECT_THAT(report.out, HasSubstr("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 3"));
}

TEST_F(CliTraceTest, DoctorSaysWhichPlaneIsUsed) {
  const CliResult doctor = RunCli({"doctor"});
  EXPECT_EQ(doctor.status, 0);
  EXPECT_THAT(doctor.out, HasSubstr("calls come from the module's hooks on traced threads"));
}

}  // namespace
}  // namespace utrace::test
