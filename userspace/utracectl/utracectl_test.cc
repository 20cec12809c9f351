// SPDX-License-Identifier: Apache-2.0
// The program itself, on real processes. Needs the rights to load BPF; skipped without.
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/libutrace/bpf/privileges.h"
#include "userspace/utracectl/testing/json_schema.h"

namespace utrace {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(absl::StripSuffix(text, "\n"), '\n');
}

std::string Program() {
  if (const char* named = getenv("UTRACECTL")) return named;
  return access(UTRACECTL_PATH, X_OK) == 0 ? UTRACECTL_PATH : "utracectl";
}

class UtracectlTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const absl::Status can = CheckCanObserve(); !can.ok()) GTEST_SKIP() << can;
    char name[] = "/tmp/utracectl_test.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
  }
  void TearDown() override {
    if (dir_.empty()) return;
    for (const char* file : {"out", "err", "lines", "rec", "cut"}) unlink(File(file).c_str());
    rmdir(dir_.c_str());
  }

  std::string File(const char* name) const { return absl::StrCat(dir_, "/", name); }

  pid_t Start(std::vector<std::string> args) {
    args.insert(args.begin(), Program());
    const pid_t pid = fork();
    if (pid != 0) return pid;
    const int out = open(File("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int err = open(File("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    // Whoever runs the tests may have left us more: the program's own files are to begin at 3.
    close_range(3, ~0u, 0);
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(99);
  }

  int WaitFor(pid_t pid) {
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    out_ = ReadAll(File("out"));
    err_ = ReadAll(File("err"));
    return status;
  }

  // Exit status as a shell has it.
  int Run(std::vector<std::string> args) {
    const int status = WaitFor(Start(std::move(args)));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  // Whether `text` comes to stand in the file within some seconds.
  bool Appears(const char* file, const std::string& text) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (absl::Now() < deadline) {
      if (absl::StrContains(ReadAll(File(file)), text)) return true;
      absl::SleepFor(absl::Milliseconds(20));
    }
    return false;
  }

  std::string dir_, out_, err_;
};

TEST_F(UtracectlTest, PassesOnHowTheProgramEnded) {
  EXPECT_EQ(Run({"trace", "--", "sh", "-c", "exit 7"}), 7);
  const int status = WaitFor(Start({"trace", "--", "sh", "-c", "kill -TERM $$"}));
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  EXPECT_THAT(err_, HasSubstr("--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, "));
  EXPECT_THAT(err_, HasSubstr("+++ killed by SIGTERM +++\n"));
}

TEST_F(UtracectlTest, OwnFailuresHaveStatusesOfTheirOwn) {
  EXPECT_EQ(Run({"trace", "--", "/no/such/program"}), 127);
  EXPECT_THAT(err_, HasSubstr("/no/such/program: No such file or directory"));
  EXPECT_EQ(Run({"trace", "--", "/etc/passwd"}), 126);
  EXPECT_EQ(Run({"trace", "-o", "/no/such/dir/x", "--", "true"}), 125);
  EXPECT_EQ(Run({"trace", "--no-such-option", "true"}), 2);
  EXPECT_EQ(Run({"trace"}), 2);
  EXPECT_EQ(Run({"trcae", "true"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean trace?"));
  EXPECT_EQ(Run({"trace", "-p", "2"}), 1);  // the kernel's
  EXPECT_THAT(err_, HasSubstr("kernel thread"));
}

TEST_F(UtracectlTest, OptionsAfterTheProgramAreTheProgramsOwn) {
  EXPECT_EQ(Run({"trace", "-o", File("lines"), "echo", "-s", "-p", "--", "x"}), 0);
  EXPECT_EQ(out_, "-s -p -- x\n");
}

TEST_F(UtracectlTest, ShowsWhatAShellPipelineDoes) {
  ASSERT_EQ(Run({"trace", "-f", "-o", File("lines"), "--", "sh", "-c",
                 "ls -l /etc | wc -l; cat /etc/hostname"}),
            0);
  EXPECT_THAT(out_, HasSubstr(ReadAll("/etc/hostname")));
  EXPECT_THAT(err_, testing::MatchesRegex("utracectl: [0-9]+ events, 0 lost\n"));
  const std::string lines = ReadAll(File("lines"));
  for (const char* part : {"\"ls\", \"-l\", \"/etc\"]", "\"wc\", \"-l\"]",
                           "openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 3",
                           "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED",
                           "[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = "}) {
    EXPECT_THAT(lines, HasSubstr(part));
  }
  int execs = 0, exits = 0;
  for (const std::string& line : Lines(lines)) {
    execs += absl::StrContains(line, " execve(") && absl::StrContains(line, "= 0");
    exits += absl::StrContains(line, "+++ exited with 0 +++");
  }
  EXPECT_EQ(execs, 4);  // sh, ls, wc, cat
  EXPECT_EQ(exits, 4);
}

TEST_F(UtracectlTest, EveryJsonLineFitsTheSchemaAndNoneIsMissing) {
  ASSERT_EQ(Run({"trace", "-j", "-f", "-o", File("lines"), "--", "sh", "-c",
                 "sleep 0.5 & kill -9 $!; ls -l / | wc; cat /no/such; kill -TERM $$"}),
            128 + SIGTERM);
  const JsonSchema schema;
  std::map<std::string, uint64_t> kinds;
  const std::string text = ReadAll(File("lines"));
  for (const std::string& line : Lines(text)) {
    ASSERT_EQ(schema.Complaint(line), "");
    const size_t at = line.find("\"ev\":\"") + 6;
    ++kinds[line.substr(at, line.find('"', at) - at)];
  }
  for (const char* kind : {"syscall", "exec", "fork", "exit", "signal"}) EXPECT_GT(kinds[kind], 0u);
  EXPECT_EQ(kinds["lost"], 0u);
  EXPECT_EQ(kinds["end"], 1u);
  EXPECT_THAT(text, HasSubstr("\"errno\":\"ENOENT\""));
  EXPECT_THAT(err_, Not(HasSubstr("events,")));
}

TEST_F(UtracectlTest, ALongCallIsShownBeforeItEnds) {
  ASSERT_EQ(Run({"trace", "-o", File("lines"), "sleep", "0.7"}), 0);
  const std::string lines = ReadAll(File("lines"));
  EXPECT_THAT(lines, ContainsRegex("nanosleep\\(.* <unfinished \\.\\.\\.>"));
  EXPECT_THAT(lines, ContainsRegex("<\\.\\.\\. clock_nanosleep resumed>.*= 0\n"));
}

TEST_F(UtracectlTest, OneInterruptEndsTheTraceAndLeavesTheProcessAlone) {
  const pid_t target = fork();
  if (target == 0) {
    for (;;) usleep(1000);
  }
  const pid_t trace = Start({"trace", "-p", absl::StrCat(target)});
  EXPECT_TRUE(Appears("out", "clock_nanosleep("));
  kill(trace, SIGINT);
  const int status = WaitFor(trace);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_THAT(err_, ContainsRegex("utracectl: [0-9]+ events, 0 lost\n"));
  EXPECT_EQ(waitpid(target, nullptr, WNOHANG), 0);  // still there
  kill(target, SIGKILL);
  waitpid(target, nullptr, 0);
}

TEST_F(UtracectlTest, ARecordingReportsWhatATraceShows) {
  ASSERT_EQ(Run({"record", "-f", "-o", File("rec"), "--", "sh", "-c", "cat /etc/hostname; exit 5"}),
            5);
  EXPECT_EQ(out_, ReadAll("/etc/hostname"));
  ASSERT_EQ(Run({"report", File("rec")}), 0);
  EXPECT_THAT(out_, HasSubstr("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 3"));
  EXPECT_THAT(out_,
              HasSubstr("exit_group(5)                           = ?\n+++ exited with 5 +++"));
  const std::string whole = ReadAll(File("rec"));
  std::ofstream(File("cut")) << whole.substr(0, whole.size() - 5);
  EXPECT_EQ(Run({"report", File("cut")}), 1);
  EXPECT_THAT(err_, HasSubstr("utracectl: "));
  EXPECT_EQ(Run({"report", "/etc/hostname"}), 1);
  EXPECT_THAT(err_, HasSubstr("not a recording"));
}

struct Blocked {
  const char* name;
  void (*block)();
  const char* begun;
  const char* died;
};

class BlockedTest : public UtracectlTest, public testing::WithParamInterface<Blocked> {};

TEST_P(BlockedTest, IsShownAtOnceAndByItsDeath) {
  const pid_t target = fork();
  if (target == 0) {
    GetParam().block();
    _exit(1);
  }
  absl::SleepFor(absl::Milliseconds(300));  // it is in the call by then; if not, that is shown too
  const pid_t trace = Start({"trace", "-p", absl::StrCat(target)});
  EXPECT_TRUE(Appears("out", GetParam().begun)) << ReadAll(File("out"));
  kill(target, SIGKILL);
  waitpid(target, nullptr, 0);
  EXPECT_EQ(WaitFor(trace), 0);
  EXPECT_THAT(out_, ContainsRegex(GetParam().died));
  EXPECT_THAT(out_, HasSubstr("+++ killed by SIGKILL +++\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Calls, BlockedTest,
    testing::Values(
        Blocked{"read",
                [] {
                  int fds[2];
                  char c;
                  if (pipe(fds) == 0) (void)!read(fds[0], &c, 1);
                },
                ",  <unfinished ...>\n", "<\\.\\.\\. read resumed>0x[0-9a-f]+, 1\\) += \\?"},
        Blocked{"futex",
                [] {
                  static int word = 0;
                  syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr);
                },
                "FUTEX_WAIT, 0, NULL <unfinished ...>\n", "<\\.\\.\\. futex resumed>\\) += \\?"},
        Blocked{"epoll_wait",
                [] {
                  epoll_event event;
                  epoll_wait(epoll_create1(0), &event, 1, -1);
                },
                "epoll_wait(", "<\\.\\.\\. epoll_wait resumed>0x[0-9a-f]+, 1, -1\\) += \\?"},
        Blocked{"wait4",
                [] {
                  const pid_t child = fork();
                  if (child == 0) {
                    alarm(30);
                    pause();
                  }
                  waitpid(child, nullptr, 0);
                },
                "wait4(", "<\\.\\.\\. wait4 resumed>.*\\) += \\?"}),
    [](const testing::TestParamInfo<Blocked>& blocked) { return std::string(blocked.param.name); });

}  // namespace
}  // namespace utrace
