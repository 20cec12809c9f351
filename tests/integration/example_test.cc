// SPDX-License-Identifier: Apache-2.0
// The examples: two virtualisers, each unaware of the other, one in the other around programs that
// know of neither.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/cli.h"

namespace utrace::test {
namespace {

class Example : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(mkdir(Real().c_str(), 0755), 0);
    for (const char* file : {"hello", "other", "secret"}) {
      std::ofstream(Real() + "/" + file) << "this is " << file << "\n";
    }
  }

  std::string Real() const { return root_ + "/real"; }
  std::string Virtual() const { return root_ + "/virtual"; }
  Cli::Args Rewrite(Cli::Args command) const {
    command.insert(command.begin(), {"rewrite-paths", Virtual(), Real()});
    return command;
  }
  static Cli::Args Hide(const std::string& name, Cli::Args command) {
    command.insert(command.begin(), {"hide-files", name});
    return command;
  }
  // Runs it to its end.
  static CliResult Run(const Cli::Args& command) {
    Cli program = Cli::Of(command);
    const int status = program.Wait(60'000);
    return {status, program.Out(), program.Err()};
  }

  const TempFolder folder_;
  const std::string root_ = folder_.path();
};

TEST_F(Example, PathsAreRewritten) {
  const CliResult cat = Run(Rewrite({"cat", Virtual() + "/hello"}));
  EXPECT_EQ(cat.status, 0) << cat.err;
  EXPECT_EQ(cat.out, "this is hello\n");
  EXPECT_NE(Run({"cat", Virtual() + "/hello"}).status, 0) << "there is no such file";
}

TEST_F(Example, FilesAreHidden) {
  EXPECT_EQ(Run(Hide("secret", {"ls", Real()})).out, "hello\nother\n");
  const CliResult cat = Run(Hide("secret", {"cat", Real() + "/hello", Real() + "/secret"}));
  EXPECT_EQ(cat.status, 1);
  EXPECT_EQ(cat.out, "this is hello\n");
  EXPECT_NE(cat.err.find("No such file"), std::string::npos) << cat.err;
}

// A directory is not over because what was read of it is hidden.
TEST_F(Example, WhatIsHiddenEndsNoDirectory) {
  const char* const one_by_one =
      "import ctypes, os, sys\n"
      "libc = ctypes.CDLL(None)\n"
      "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
      "buffer = ctypes.create_string_buffer(32)\n"
      "count = 0\n"
      "while libc.syscall(217, fd, buffer, 32) > 0: count += 1\n"
      "print(count)\n";
  EXPECT_EQ(Run({"python3", "-c", one_by_one, Real()}).out, "5\n");
  EXPECT_EQ(Run(Hide("secret", {"python3", "-c", one_by_one, Real()})).out, "4\n");
}

// The one that hides is there first and so nearest to the kernel: it sees what the other has made
// of a path.
TEST_F(Example, SmokeOneInTheOther) {
  EXPECT_EQ(Run(Hide("secret", Rewrite({"ls", Virtual()}))).out, "hello\nother\n");
  const CliResult cat =
      Run(Hide("secret", Rewrite({"cat", Virtual() + "/hello", Virtual() + "/secret"})));
  EXPECT_EQ(cat.status, 1);
  EXPECT_EQ(cat.out, "this is hello\n");
  EXPECT_NE(cat.err.find(Virtual() + "/secret: No such file"), std::string::npos) << cat.err;
}

TEST_F(Example, AroundAShellAndAllItStarts) {
  const std::string script = "cd " + Virtual() +
                             " && echo * && cat hello | tr a-z A-Z && "
                             "echo more >mine && cat mine && rm mine && "
                             "if [ -e secret ]; then echo seen; else echo none; fi; exit 7";
  const CliResult shell = Run(Hide("secret", Rewrite({"sh", "-c", script})));
  EXPECT_EQ(shell.status, 7) << shell.err;
  EXPECT_EQ(shell.out, "hello other\nTHIS IS HELLO\nmore\nnone\n") << shell.err;
}

// Each sees the calls as the ones nearer to the program have left them: what the hidden directory
// is to one, is to the other the place where all lies.
TEST_F(Example, TheOrderIsWhatCounts) {
  const CliResult hidden = Run(Hide("real", Rewrite({"cat", Virtual() + "/hello"})));
  EXPECT_EQ(hidden.status, 1);
  EXPECT_EQ(hidden.out, "");
  EXPECT_NE(hidden.err.find(Virtual() + "/hello: No such file"), std::string::npos) << hidden.err;

  const CliResult moved = Run(Rewrite(Hide("real", {"cat", Virtual() + "/hello"})));
  EXPECT_EQ(moved.status, 0) << moved.err;
  EXPECT_EQ(moved.out, "this is hello\n");
  EXPECT_EQ(Run(Rewrite(Hide("real", {"ls", root_}))).out, "");
  EXPECT_EQ(Run(Rewrite(Hide("real", {"cat", Real() + "/hello"}))).status, 1);
}

TEST_F(Example, ThreeDeep) {
  EXPECT_EQ(Run(Hide("other", Rewrite(Hide("secret", {"ls", Virtual()})))).out, "hello\n");
}

// Whoever virtualises dies, and the program goes on without.
TEST_F(Example, TheProgramOutlivesItsVirtualiser) {
  const std::string script = "echo *; until [ -e secret ]; do sleep 0.1; done; echo *";
  Cli program = Cli::Of(Hide("secret", {"sh", "-c", "cd " + Real() + "; " + script}));
  ASSERT_TRUE(program.Says("hello other\n"));
  program.Kill(SIGKILL);
  EXPECT_TRUE(program.Says("hello other secret\n"));
}

}  // namespace
}  // namespace utrace::test
