// SPDX-License-Identifier: Apache-2.0
// What trace and record show of real programs.
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/utracectl/testing/json_schema.h"
#include "userspace/utracectl/utracectl_fixture.h"

namespace utrace {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

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
  // With what it was told, though the call's record is written only when it ends.
  EXPECT_THAT(lines,
              ContainsRegex("nanosleep\\(.*\\{tv_sec=0, tv_nsec=700000000\\},  <unfinished"));
  EXPECT_THAT(lines, ContainsRegex("<\\.\\.\\. clock_nanosleep resumed>.*= 0\n"));
}

TEST_F(UtracectlTest, ABlockedOpenShowsItsPathAtOnce) {
  const std::string fifo = File("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const pid_t target = fork();
  if (target == 0) _exit(open(fifo.c_str(), O_RDONLY) < 0 ? 1 : 0);
  absl::SleepFor(absl::Milliseconds(300));
  const pid_t trace = Start({"trace", "-p", absl::StrCat(target)});
  EXPECT_TRUE(
      Appears("out", absl::StrCat("openat(AT_FDCWD, \"", fifo, "\", O_RDONLY <unfinished ...>")))
      << ReadAll(File("out"));
  const int writer = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(WaitFor(trace), 0);
  EXPECT_THAT(out_, ContainsRegex("<\\.\\.\\. openat resumed>\\) += [0-9]+\n"));
  waitpid(target, nullptr, 0);
  close(writer);
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
