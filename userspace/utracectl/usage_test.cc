// SPDX-License-Identifier: Apache-2.0
// Uses of stop, hold, resume, ps, engine and status that are refused before anything is touched.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace utrace {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Result {
  int status;
  std::string text;  // of both channels
};

Result RunCommand(std::vector<std::string> args) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  args.insert(args.begin(), UTRACECTL_PATH);
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(99);
  }
  close(ends[1]);
  Result result;
  char buffer[4096];
  ssize_t size;
  while ((size = read(ends[0], buffer, sizeof(buffer))) > 0) {
    result.text.append(buffer, static_cast<size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

// One line with the reason, and nothing else.
void ExpectRefusal(const std::vector<std::string>& args, int status, const std::string& reason) {
  const Result result = RunCommand(args);
  EXPECT_EQ(result.status, status) << reason;
  EXPECT_THAT(result.text, StartsWith("utracectl: "));
  EXPECT_THAT(result.text, HasSubstr(reason));
  EXPECT_EQ(result.text.find('\n') + 1, result.text.size()) << result.text;
}

TEST(Usage, WhatMeansNothing) {
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {"no command hodl; did you mean hold?", {"hodl"}},
      {"--pid is required", {"stop"}},
      {"it takes one or two numbers", {"stop", "-p", "1x"}},
      {"it takes one or two numbers", {"stop", "-p", "1/2/3"}},
      {"it takes one or two numbers", {"resume", "-1"}},
      {"it takes syscall:NAME or signal:NAME", {"stop", "-p", "1", "--at", "openat"}},
      {"there is no signal of that name", {"stop", "-p", "1", "--at", "signal:NOSUCH"}},
      {"cannot be held at", {"stop", "-p", "1", "--at", "signal:KILL"}},
      {"there is no system call of that name", {"stop", "-p", "1", "--at", "syscall:nosuch"}},
      {"give only one of them", {"stop", "-p", "1", "--at", "syscall:read", "--interrupt"}},
      {"--wait: '0' is no number above 0", {"stop", "-p", "1", "--wait", "0"}},
      {"--wait: 'soon' is no number above 0", {"stop", "-p", "1", "--wait", "soon"}},
      {"--if chooses among calls", {"stop", "-p", "1", "--if", "pid == 1"}},
      {"--if chooses among calls", {"stop", "-p", "1", "--at", "signal:TERM", "--if", "pid == 1"}},
      {"injection is required", {"inject", "--", "true"}},
      {"give a process by -p, or a program", {"inject", "read:error=EIO"}},
      {"give a process by -p, or a program", {"inject", "read:error=EIO", "-p", "1", "--", "true"}},
      {"-u is for a program", {"inject", "read:error=EIO", "-p", "1", "-u", "nobody"}},
      {"there is no system call 'reed'", {"inject", "reed:error=EIO", "--", "true"}},
      {"--pid excludes --cgroup", {"engine", "load", "x", "--cgroup", "/", "-p", "1"}},
      {"give a program to run", {"hold"}},
      {"takes one GLOB", {"hold", "--tree", "1", "a", "b"}},
      {"with --tree there is none", {"hold", "-u", "user", "--tree", "1"}},
      {"--tree: '0' is no number above 0", {"hold", "--tree", "0"}},
      {"target is required", {"resume"}},
      {"excludes", {"resume", "1", "--engine", "1", "--all"}},
      {"it takes a number as engine list shows it", {"engine", "detach", "bpf:"}},
      {"give an id", {"engine", "detach"}},
      {"subcommand is required", {"engine"}},
      {"--pid: 'all' is no number above 0", {"ps", "-p", "all"}},
      {"not expected", {"status", "now"}},
  };
  for (const auto& [reason, args] : cases) ExpectRefusal(args, 2, reason);
}

TEST(Usage, ExpressionsThatMeanNothingAreMarked) {
  const Result result = RunCommand({"trace", "--if", "call == opennat", "--", "/no/such"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.text,
            "utracectl: cannot use this expression: there is no such system call\n"
            "  call == opennat\n"
            "          ^~~~~~~\n");
  EXPECT_THAT(RunCommand({"record", "-o", "/dev/null", "--when", "path < 'x'", "-p", "1"}).text,
              HasSubstr("texts are compared by == != ~ !~"));
}

TEST(Usage, ProgramsThatCannotBeRun) {
  ExpectRefusal({"hold", "--", "/no/such"}, 127, "run /no/such: No such file or directory");
  ExpectRefusal({"hold", "--", "no-such"}, 127, "run no-such: ");
  ExpectRefusal({"hold", "--", "/etc/passwd"}, 126, "run /etc/passwd: Permission denied");
  ExpectRefusal({"hold", "--background", "--", "/no/such"}, 127, "run /no/such: No such file");
  ExpectRefusal({"hold", "-u", "nobody-of-that-name", "--", "true"}, 125,
                "run as nobody-of-that-name: there is no such user");
}

}  // namespace
}  // namespace utrace
