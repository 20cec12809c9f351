// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/expression.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/libutrace/predicate/evaluate.h"

namespace utrace {
namespace {

// Whether it is true of the call; fails if it cannot be read.
bool Is(absl::string_view text, const PredicateCall& call) {
  const absl::StatusOr<Expression> expression = ParseExpression(text);
  EXPECT_TRUE(expression.ok()) << expression.status();
  return expression.ok() && Evaluate(*expression, call);
}

std::string Refusal(absl::string_view text) {
  const absl::StatusOr<Expression> expression = ParseExpression(text);
  EXPECT_FALSE(expression.ok()) << text;
  return std::string(expression.status().message());
}

PredicateCall OpenOf(absl::string_view path, int64_t ret) {
  PredicateCall call;
  call.nr = SYS_openat;
  call.ret = ret;
  call.args = {static_cast<uint64_t>(AT_FDCWD), 0x7000, O_WRONLY | O_CREAT, 0644, 0, 0};
  call.path = std::string(path);
  call.fd = AT_FDCWD;
  call.pid = 10;
  call.tid = 11;
  call.uid = 1000;
  call.comm = "cc1plus";
  return call;
}

TEST(Expression, ComparesNumbers) {
  const PredicateCall call = OpenOf("/etc/passwd", -ENOENT);
  EXPECT_TRUE(Is("call == openat", call));
  EXPECT_FALSE(Is("call != openat", call));
  EXPECT_TRUE(Is("call in (open, openat)", call));
  EXPECT_FALSE(Is("call in (read, write)", call));
  EXPECT_TRUE(Is("ret == -2", call));
  EXPECT_TRUE(Is("ret < 0", call));
  EXPECT_TRUE(Is("failed && error == ENOENT", call));
  EXPECT_FALSE(Is("error in (EACCES, EPERM)", call));
  EXPECT_TRUE(Is("fd == -100", call));
  EXPECT_TRUE(Is("pid == 10 && tid == 0xb && uid >= 1000", call));
  EXPECT_TRUE(Is("arg3 == 0644", call));
  EXPECT_TRUE(Is("arg0 > 5", call)) << "arguments have no sign";
}

TEST(Expression, LooksForFlags) {
  const PredicateCall call = OpenOf("/tmp/x", 3);
  EXPECT_TRUE(Is("arg2 & O_CREAT", call));
  EXPECT_FALSE(Is("arg2 & O_TRUNC", call));
  EXPECT_TRUE(Is("arg2 & O_CREAT|O_TRUNC", call)) << "any of them";
  EXPECT_TRUE(Is("arg2 & O_CREAT == O_CREAT", call));
  EXPECT_FALSE(Is("(arg2 & O_CREAT|O_TRUNC) == 01100", call));
  EXPECT_TRUE(Is("(arg2 & O_CREAT && !failed)", call));
}

TEST(Expression, ComparesTexts) {
  const PredicateCall call = OpenOf("/etc/ssl/certs/a.pem", 3);
  EXPECT_TRUE(Is("path == '/etc/ssl/certs/a.pem'", call));
  EXPECT_FALSE(Is("path == '/etc/*'", call));
  EXPECT_TRUE(Is("path ~ '/etc/*'", call));
  EXPECT_TRUE(Is("path ~ '*.pem' && path ~ '*/ssl/*'", call));
  EXPECT_TRUE(Is("path ~ '/e?c/s?l/*'", call));
  EXPECT_FALSE(Is("path ~ '*/certs/*/*'", call));
  EXPECT_FALSE(Is("path ~ '*.pem.pem'", call));
  EXPECT_TRUE(Is(R"(path !~ "/usr/*" && comm ~ "cc1*")", call));
  EXPECT_TRUE(Is(R"(comm != "it's")", call));
  EXPECT_TRUE(Is(R"(comm == "cc1\plus")", call));
}

TEST(Expression, SaysNothingOfWhatIsNotThere) {
  PredicateCall call;
  call.nr = SYS_getpid;
  EXPECT_FALSE(Is("fd == 0", call));
  EXPECT_FALSE(Is("fd != 0", call));
  EXPECT_FALSE(Is("path ~ '*'", call));
  EXPECT_FALSE(Is("path != '/etc/passwd'", call));
  EXPECT_TRUE(Is("!(path == '/etc/passwd')", call));
}

TEST(Expression, KnowsTheNumbersOf32BitPrograms) {
  PredicateCall call;
  call.abi = Abi::kI386;
  call.nr = 5;  // open; fstat of 64 bits
  EXPECT_TRUE(Is("call == open", call));
  EXPECT_FALSE(Is("call == fstat", call));
  EXPECT_TRUE(Is("call == 5", call));
}

TEST(Expression, BindsAsInC) {
  PredicateCall call;
  call.pid = 1;
  call.tid = 2;
  EXPECT_TRUE(Is("pid == 1 || pid == 2 && tid == 3", call));
  EXPECT_FALSE(Is("(pid == 1 || pid == 2) && tid == 3", call));
  EXPECT_FALSE(Is("!pid == 1", call));
}

TEST(Expression, PointsAtWhatIsWrong) {
  EXPECT_EQ(Refusal("call == openat && reg == 3"),
            "cannot use this expression: there is no such field, but failed, call, ret, error, fd, "
            "path, arg0, arg1, arg2, arg3, arg4, arg5, pid, tid, uid, comm, cgroup\n"
            "  call == openat && reg == 3\n"
            "                    ^~~");
  EXPECT_EQ(Refusal("call == opennat"),
            "cannot use this expression: there is no such system call\n"
            "  call == opennat\n"
            "          ^~~~~~~");
  EXPECT_EQ(Refusal("path == \"ä\" pid"),
            "cannot use this expression: here && or || is missing, or the end\n"
            "  path == \"ä\" pid\n"
            "              ^~~");
  EXPECT_EQ(Refusal("pid == 3 &&"),
            "cannot use this expression: here a field is missing, one of failed, call, ret, error, "
            "fd, path, arg0, arg1, arg2, arg3, arg4, arg5, pid, tid, uid, comm, cgroup\n"
            "  pid == 3 &&\n"
            "             ^");
}

TEST(Expression, RefusesWhatMeansNothing) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "a field is missing"},
      {"call < openat", "calls have no order"},
      {"call & 3", "has no flags"},
      {"pid = 3", "a lone '='"},
      {"pid == -3", "never negative"},
      {"ret == 0xffffffffffffffff", "never that large"},
      {"pid == 99999999999999999999", "no number of 64 bits"},
      {"pid == 12ab", "no number of 64 bits"},
      {"pid ~ '1*'", "numbers do not fit globs"},
      {"pid == 'x'", "a number is missing"},
      {"comm == x", "a text in quotes is missing"},
      {"comm < 'x'", "texts are compared by"},
      {"comm == 'x", "not closed"},
      {"comm ~ '[ab]*'", "* and ? only"},
      {"comm ~ '*a*b*c*d*e*f*g*h*i*'", "8 stars"},
      {"error == EFOO", "no such error"},
      {"cgroup ~ '/a'", "cgroups are compared by"},
      {"cgroup in ('/a')", "cgroups are compared by"},
      {"cgroup == 3", "path in quotes is missing"},
      {"cgroup == '/no/such'", "there is no cgroup"},
      {"arg2 & O_FOO", "nor a constant"},
      {"arg2 & 0", "has no bit"},
      {"(pid == 3", "a ')' is missing"},
      {"call in open", "a '(' is missing"},
      {"pid $ 3", "no such sign"},
  };
  for (const auto& [text, why] : cases) {
    EXPECT_THAT(Refusal(text), testing::HasSubstr(why)) << text;
  }
  EXPECT_THAT(Refusal(std::string(100, '(')), testing::HasSubstr("nested too deep"));
  EXPECT_THAT(Refusal("path == '" + std::string(300, 'x') + "'"), testing::HasSubstr("255 bytes"));
}

}  // namespace
}  // namespace utrace
