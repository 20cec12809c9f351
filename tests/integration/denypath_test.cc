// SPDX-License-Identifier: Apache-2.0
// The engine denypath: what is denied stays shut, by whatever way one comes.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kDeny[] = "/payload/engines/denypath.bpf.o";
constexpr char kOpener[] = "/payload/tracees/opener";

class DenyPath : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"/free", "/shut", "/shut/deep"}) {
      std::filesystem::create_directory(root_ + folder);
      std::filesystem::copy_file("/bin/true", root_ + folder + "/file");
    }
    std::filesystem::create_symlink("shut/file", root_ + "/link");
  }

  // The engine's options, then what is run.
  static CliResult Under(Cli::Args options, const Cli::Args& command) {
    options.insert(options.begin(), {"engine", "load", kDeny, "-f"});
    options.push_back("--");
    options.insert(options.end(), command.begin(), command.end());
    return RunCli(options);
  }
  static bool NotHere(const CliResult& load) {
    if (load.err.find("6.9 or later") == std::string::npos) return false;
    EXPECT_EQ(load.status, 125);
    return true;
  }

  const TempFolder folder_;
  const std::string root_ = folder_.path();
};

// What the tracee tries, with what each gives.
std::string Ways(const std::string& shut) {
  std::string text = "free=0\n";
  for (const char* way : {"name", "write", "create", "deep", "list", "link", "dots", "reopen",
                          "handle", "mount", "exec", "ring", "worker", "poller"}) {
    text += way + ("=" + shut) + "\n";
  }
  text += "ring-free=0\n";
  for (const char* way : {"hard", "rename", "move", "swap", "away"}) {
    text += way + ("=" + shut) + "\n";
  }
  return text;
}

TEST_F(DenyPath, SmokeNoWayLeadsIn) {
  const CliResult ways = Under({"--path", root_ + "/shut"}, {kOpener, "ways", root_});
  if (NotHere(ways)) return;
  EXPECT_EQ(ways.status, 0) << ways.err;
  EXPECT_EQ(ways.out, Ways("13"));
  EXPECT_THAT(ways.err,
              HasSubstr("comm=\"opener\" what=opens path=\"" + root_ + "/shut/deep/file\""));
  EXPECT_THAT(ways.err, HasSubstr("what=links path=\"file\""));
  EXPECT_THAT(ways.err, HasSubstr("what=renames path=\"file\""));
  EXPECT_THAT(ways.err, HasSubstr("comm=\"iou-wrk-"));
  // All of them lead there when nothing is denied.
  Cli bare = Cli::Of({kOpener, "ways", root_});
  EXPECT_EQ(bare.Wait(), 0);
  EXPECT_EQ(bare.Out(), Ways("0"));
}

// So many tries, of a millisecond at most, and nobody reads of them.
CliResult RunRace(Cli::Args options, const std::string& root, const std::string& tries) {
  options.insert(options.begin(), {"engine", "load"});
  options.insert(options.end(), {"-o", "/dev/null", "--", kOpener, "race", root, tries});
  Cli race(options);
  const int status = race.Wait(30'000 + std::atoi(tries.c_str()));
  return {status, race.Out(), race.Err()};
}

// How often a thread that changes the name meanwhile got the tracee what it may not have.
long Around(const CliResult& race) {
  const size_t at = race.out.find("around=");
  EXPECT_NE(at, std::string::npos) << race.out << race.err;
  return at == std::string::npos ? -1 : std::atol(race.out.c_str() + at + 7);
}

// It is not the name that is judged, which another thread may change once it was looked at: as a
// rule on the argument finds out.
TEST_F(DenyPath, ANameThatChangesMeanwhileLeadsNowhere) {
  const char* tries = std::getenv("UTRACE_ROUNDS");
  const std::string count = tries ? tries : "20000";
  const CliResult engine = RunRace({kDeny, "--path", root_ + "/shut"}, root_, count);
  if (NotHere(engine)) return;
  EXPECT_EQ(Around(engine), 0) << engine.out;
  EXPECT_THAT(engine.out, Not(HasSubstr("opened=0 "))) << "the thread does write";
  EXPECT_THAT(engine.out, Not(HasSubstr("refused=0 ")));

  // How often depends on how often the two threads run at once: of few tries it may be none.
  const long wanted = tries ? std::atol(tries) / 10'000 : 1;
  const int most = tries ? 1 : 5;
  long around = 0;
  for (int run = 0; run < most && around < wanted; ++run) {
    const CliResult advice = RunRace({"/payload/engines/faultinject.bpf.o", "--set", "error=EACCES",
                                      "--if", "call == openat && path ~ '*/shut/file'"},
                                     root_, count);
    const long got = Around(advice);
    ASSERT_GE(got, 0) << advice.err;
    around += got;
    std::printf("%s tries: the engine %sa rule on the argument %s", count.c_str(),
                engine.out.c_str(), advice.out.c_str());
  }
  EXPECT_GE(around, wanted);
}

// By its own number, so that a hard link is no way round, nor another name that it is given.
TEST_F(DenyPath, AFileIsDeniedByAllItsNames) {
  std::filesystem::create_hard_link(root_ + "/shut/file", root_ + "/free/hard");
  const std::string look =
      "for f in shut/file free/hard link; do cat $f >/dev/null; done; "
      "cat shut/deep/file >/dev/null && mv shut/deep free && echo moved";
  // What the engine tells goes elsewhere, or it would stand in the middle of what cat says.
  const CliResult cat =
      Under({"--path", root_ + "/free/hard", "--set", "error=EIO", "-o", "/dev/null"},
            {"sh", "-c", "cd " + root_ + " && " + look});
  if (NotHere(cat)) return;
  for (const char* name : {"shut/file", "free/hard", "link"}) {
    EXPECT_THAT(cat.err, HasSubstr(std::string("cat: ") + name + ": Input/output error"));
  }
  EXPECT_EQ(cat.out, "moved\n") << cat.err;
}

TEST_F(DenyPath, ItIsAboutWhomTheEngineIsOn) {
  Tracee tracee({"actor"});
  const std::string pid = std::to_string(tracee.pid());
  const CliResult load = RunCli(
      {"engine", "load", kDeny, "--path", root_ + "/shut", "--pin", "--name", "mine", "-p", pid});
  if (load.err.find("6.9 or later") != std::string::npos) return;
  ASSERT_EQ(load.status, 0) << load.err;
  const auto open = [&] { return tracee.Ask("open " + root_ + "/shut/file"); };
  EXPECT_EQ(open(), "-13");
  EXPECT_TRUE(std::ifstream(root_ + "/shut/file").good()) << "others may";
  // Off the thread it denies nothing, though its programs are still there.
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_EQ(open(), "0");
  EXPECT_TRUE(std::filesystem::exists("/sys/fs/bpf/utrace-beside/mine/on_open"));
  EXPECT_EQ(RunCli({"engine", "unload", "mine"}).status, 0);
  EXPECT_FALSE(std::filesystem::exists("/sys/fs/bpf/utrace-beside/mine"));
  EXPECT_FALSE(std::filesystem::exists("/sys/fs/bpf/utrace/mine"));
}

TEST_F(DenyPath, WhatCannotBeIsRefused) {
  if (NotHere(Under({"--path", root_}, {"true"}))) return;
  const CliResult taken = RunCli({"engine", "verify", kDeny});
  EXPECT_THAT(taken.out, HasSubstr("denypath (error=EACCES), which hears of no event"))
      << taken.err;
  const CliResult none = Under({}, {"true"});
  EXPECT_THAT(none.err, HasSubstr("tell engine denypath its files: say by --path which they are"));
  EXPECT_THAT(Under({"--path", root_ + "/nosuch"}, {"true"}).err,
              HasSubstr("find " + root_ + "/nosuch: No such file or directory"));
  const CliResult other = RunCli({"engine", "load", "/payload/engines/faultinject.bpf.o", "--path",
                                  root_, "--set", "call=openat", "--", "true"});
  EXPECT_THAT(other.err, HasSubstr("takes no --path"));
}

}  // namespace
}  // namespace utrace::test
