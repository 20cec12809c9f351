// SPDX-License-Identifier: Apache-2.0
// How trace and record end: statuses, interrupts, users, rights; and where their lines go.
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/utracectl/utracectl_fixture.h"

namespace utrace {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr char kTotals[] = "utracectl: [0-9]+ events, 0 lost\n";

class EndsTest : public UtracectlTest {
 protected:
  std::string Executable(const char* name, const std::string& content, mode_t mode = 0755) {
    const std::string path = File(name);
    std::ofstream(path) << content;
    chmod(path.c_str(), mode);
    return path;
  }
};

TEST_F(EndsTest, PassesOnHowTheProgramEnded) {
  EXPECT_EQ(Run({"trace", "--", "sh", "-c", "exit 7"}), 7);
  for (const char* command : {"trace", "record"}) {
    const int status =
        WaitFor(Start({command, "-o", File("lines"), "--", "sh", "-c", "kill -TERM $$"}));
    ASSERT_TRUE(WIFSIGNALED(status)) << command;
    EXPECT_EQ(WTERMSIG(status), SIGTERM);
  }
  EXPECT_EQ(Run({"trace", "--", "sh", "-c", "kill -TERM $$"}), 128 + SIGTERM);
  EXPECT_THAT(err_, HasSubstr("--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, "));
  EXPECT_THAT(err_, HasSubstr("+++ killed by SIGTERM +++\n"));
}

TEST_F(EndsTest, OwnFailuresHaveStatusesOfTheirOwn) {
  EXPECT_EQ(Run({"trace", "-o", "/no/such/dir/x", "--", "true"}), 125);
  EXPECT_THAT(err_, HasSubstr("create /no/such/dir/x: No such file or directory"));
  EXPECT_EQ(Run({"record", "-o", "/no/such/dir/x", "--", "true"}), 125);
  EXPECT_EQ(Run({"trace", "--no-such-option", "true"}), 2);
  EXPECT_EQ(Run({"trace"}), 2);
  EXPECT_EQ(Run({"record", "--", "true"}), 2);  // where to?
  EXPECT_EQ(Run({"trace", "-p", "1", "--", "true"}), 2);
  EXPECT_EQ(Run({"trace", "-u", "nobody", "-p", "1"}), 2);
  EXPECT_EQ(Run({"trace", "-p", "x"}), 2);
  EXPECT_EQ(Run({"trcae", "true"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean trace?"));
}

TEST_F(EndsTest, WhatCannotRunIsNotFoundOrNotExecutable) {
  EXPECT_EQ(Run({"trace", "--", "/no/such/program"}), 127);
  EXPECT_THAT(err_, HasSubstr("/no/such/program: No such file or directory"));
  EXPECT_EQ(Run({"record", "-o", File("rec"), "--", "no-such-command"}), 127);
  EXPECT_EQ(Run({"trace", "--", Executable("lost", "#!/no/such/interpreter\n")}), 127);
  EXPECT_EQ(Run({"trace", "--", "/etc/passwd"}), 126);
  EXPECT_EQ(Run({"trace", "--", "/etc"}), 126);
  EXPECT_EQ(Run({"trace", "--", Executable("text", "no program\n")}), 126);
  ASSERT_EQ(symlink(File("loop").c_str(), File("loop").c_str()), 0);
  EXPECT_EQ(Run({"trace", "--", File("loop")}), 126);
}

TEST_F(EndsTest, WhatCannotBeTracedIsNamed) {
  EXPECT_EQ(Run({"trace", "-p", "2"}), 1);
  EXPECT_THAT(err_, HasSubstr("trace process 2, which is a kernel thread"));
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  EXPECT_EQ(Run({"record", "-o", File("rec"), "-p", absl::StrCat(dead)}), 1);
  EXPECT_EQ(err_, absl::StrCat("utracectl: trace process ", dead, ": No such process\n"));
}

// Unlike strace, which ends with 0 then: what was asked for was not done.
TEST_F(EndsTest, OneThatCannotBeTracedIsToldAtOnceAndTheOthersAreTraced) {
  const pid_t target = fork();
  if (target == 0) {
    for (;;) usleep(1000);
  }
  const std::string pids = absl::StrCat(target, ",2");
  const struct {
    std::vector<std::string> args;
    const char* file;
    const char* begun;
  } attempts[] = {
      {{"trace", "-o", File("text"), "-p", pids}, "text", "clock_nanosleep("},
      {{"trace", "-j", "-o", File("json"), "-p", "2", "-p", absl::StrCat(target)}, "json", "{"},
      {{"record", "-o", File("rec"), "-p", pids}, "rec", "UCHK"}};
  for (const auto& attempt : attempts) {
    const pid_t trace = Start(attempt.args);
    EXPECT_TRUE(Appears("err",
                        "utracectl: note: goes on with 1 of the 2 processes asked for, and "
                        "will exit with 1\n"));
    EXPECT_TRUE(Appears(attempt.file, attempt.begun));
    EXPECT_EQ(waitpid(trace, nullptr, WNOHANG), 0) << "it goes on";
    kill(trace, SIGINT);
    const int status = WaitFor(trace);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status;
    EXPECT_THAT(err_, StartsWith("utracectl: trace process 2, which is a kernel thread"));
  }
  kill(target, SIGKILL);
  waitpid(target, nullptr, 0);
  // None is left: it ends by itself.
  EXPECT_EQ(Run({"trace", "-p", pids}), 1);
  EXPECT_THAT(err_, HasSubstr("trace process 2, which is a kernel thread"));
  EXPECT_THAT(err_, HasSubstr(absl::StrCat("trace process ", target, ": No such process\n")));
  EXPECT_THAT(err_, Not(HasSubstr("goes on")));
}

TEST_F(EndsTest, WithoutTheRightsNothingRunsAndTheRemedyIsSaid) {
  const auto drop = [] {
    for (const int capability : {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN}) {
      if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) _exit(98);
    }
  };
  EXPECT_EQ(Run({"trace", "--", "echo", "ran"}, drop), 125);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_,
              HasSubstr("load BPF programs without CAP_BPF and CAP_PERFMON (run it with sudo"));
  EXPECT_EQ(Run({"trace", "-p", absl::StrCat(getpid())}, drop), 1);
}

TEST_F(EndsTest, TheProgramRunsAsTheUserThatIsNamed) {
  const auto sudo = [] { setenv("SUDO_USER", "somebody", 1); };
  EXPECT_EQ(Run({"trace", "-o", File("lines"), "-u", "nobody", "--", "id", "-un"}, sudo), 0);
  EXPECT_EQ(out_, "nobody\n");
  EXPECT_THAT(err_, MatchesRegex(kTotals));
  EXPECT_EQ(Run({"trace", "-o", File("lines"), "--", "id", "-un"}, sudo), 0);
  EXPECT_EQ(out_, "root\n");
  EXPECT_THAT(err_, HasSubstr("note: id runs as root; -u somebody runs it as you\n"));
  EXPECT_EQ(Run({"trace", "-o", File("lines"), "--", "true"}), 0);
  EXPECT_THAT(err_, Not(HasSubstr("note:")));

  EXPECT_EQ(Run({"trace", "-u", "no-such-user", "--", "true"}), 125);
  EXPECT_THAT(err_, HasSubstr("run as no-such-user: there is no such user"));
  EXPECT_EQ(Run({"trace", "-u", "nobody", "--", Executable("ours", "#!/bin/sh\n", 0700)}), 126);
  EXPECT_EQ(Run({"trace", "-u", "nobody", "--", "true"},
                [] { prctl(PR_CAPBSET_DROP, CAP_SETUID, 0, 0, 0); }),
            125);
  EXPECT_THAT(err_, HasSubstr("become the user to run "));
}

TEST_F(EndsTest, OptionsAfterTheProgramAreTheProgramsOwn) {
  EXPECT_EQ(Run({"trace", "-o", File("lines"), "echo", "-s", "-p", "--", "x"}), 0);
  EXPECT_EQ(out_, "-s -p -- x\n");
}

TEST_F(EndsTest, LinesKeepOutOfTheProgramsOutput) {
  ASSERT_EQ(Run({"trace", "--", "echo", "hello"}), 0);
  EXPECT_EQ(out_, "hello\n");
  EXPECT_THAT(err_, HasSubstr("write(1, \"hello\\n\", 6)"));
  EXPECT_THAT(err_, ContainsRegex(absl::StrCat("exited with 0 \\+\\+\\+\n", kTotals, "$")));
  ASSERT_EQ(Run({"trace", "-o", File("lines"), "--", "echo", "hello"}), 0);
  EXPECT_EQ(out_, "hello\n");
  EXPECT_THAT(err_, MatchesRegex(kTotals));
  EXPECT_THAT(ReadAll(File("lines")), HasSubstr("write(1, \"hello\\n\", 6)"));
}

TEST_F(EndsTest, OneInterruptEndsTheTraceAndLeavesTheProcessAlone) {
  const pid_t target = fork();
  if (target == 0) {
    for (;;) usleep(1000);
  }
  const std::string pid = absl::StrCat(target);
  pid_t trace = Start({"trace", "-p", pid});
  EXPECT_TRUE(Appears("out", "clock_nanosleep("));
  kill(trace, SIGINT);
  EXPECT_EQ(WaitFor(trace), 0);
  EXPECT_THAT(err_, MatchesRegex(kTotals));

  trace = Start({"record", "-o", File("rec"), "-p", pid});
  EXPECT_TRUE(Appears("rec", "UCHK"));  // a chunk begins so: it records
  kill(trace, SIGINT);
  EXPECT_EQ(WaitFor(trace), 0);
  EXPECT_EQ(Run({"report", File("rec")}), 0) << "the recording was not finished";
  EXPECT_THAT(out_, HasSubstr("clock_nanosleep("));
  EXPECT_EQ(waitpid(target, nullptr, WNOHANG), 0);  // still there
  kill(target, SIGKILL);
  waitpid(target, nullptr, 0);
}

// As Ctrl-C does it: to the program and to us.
TEST_F(EndsTest, AnInterruptIsTheProgramsToo) {
  const pid_t trace = Start({"trace", "-o", File("lines"), "--", "sh", "-c",
                             "trap 'exit 4' INT; echo there; while :; do sleep 0.05; done"},
                            [] { setpgid(0, 0); });
  ASSERT_TRUE(Appears("out", "there"));
  kill(-trace, SIGINT);
  const int status = WaitFor(trace);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 4) << status;
  EXPECT_THAT(err_, MatchesRegex(kTotals));
}

TEST_F(EndsTest, TheSecondInterruptEndsTheTracerAndTheProgramGoesOn) {
  const pid_t trace = Start({"trace", "-o", File("lines"), "--", "sh", "-c",
                             "trap '' INT; echo $$; while :; do sleep 0.05; done"});
  ASSERT_TRUE(Appears("out", "\n"));
  pid_t program = 0;
  ASSERT_TRUE(absl::SimpleAtoi(Lines(ReadAll(File("out")))[0], &program));
  kill(trace, SIGINT);
  EXPECT_TRUE(Appears("err", " lost\n"));
  EXPECT_EQ(waitpid(trace, nullptr, WNOHANG), 0) << "it waits for the program";
  kill(trace, SIGINT);
  const int status = WaitFor(trace);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  EXPECT_EQ(kill(program, SIGKILL), 0) << "the program is gone";
}

}  // namespace
}  // namespace utrace
