// SPDX-License-Identifier: Apache-2.0
// Modules that do not fit: seeded, as the real ones would take another kernel or another build.
#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/device.h"
#include "tests/integration/module.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class SeedRefusalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (ModuleIsLoaded("utrace_seed")) {
      ASSERT_EQ(UnloadModule("utrace_seed"), 0);
    }
    if (ModuleIsLoaded()) {
      ASSERT_TRUE(Eventually([] { return UnloadModule() == 0; }));
    }
  }
  void TearDown() override {
    if (ModuleIsLoaded()) {
      ASSERT_TRUE(Eventually([] { return UnloadModule() == 0; }));
    }
    ASSERT_EQ(LoadModule(), 0);
  }

  // Nothing of it stays.
  static void ExpectNotLoaded() {
    EXPECT_FALSE(ModuleIsLoaded());
    EXPECT_EQ(Device::Open().fd(), -ENOENT);
    EXPECT_THAT(HookedFunctions(), Not(HasSubstr("wake_up_new_task")));
    EXPECT_THAT(RunCli({"status"}).out, HasSubstr("not loaded"));
  }
};

// One that is hooked, one that is called, and the first that is looked up.
class SeedWrongPrototypeTest : public SeedRefusalTest,
                               public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Seed, SeedWrongPrototypeTest,
                         testing::Values("proc_exec_connector", "wait_task_inactive",
                                         "kallsyms_lookup_name"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(SeedWrongPrototypeTest, IsRefusedByName) {
  KernelLog log;
  EXPECT_EQ(LoadModule("utrace", std::string("seed_wrong_prototype=") + GetParam()), -EINVAL);
  const std::string release = LinesOf(ReadWhole("/proc/sys/kernel/osrelease"))[0];
  EXPECT_THAT(log.Text(), HasSubstr("utrace: " + std::string(GetParam()) + "() of kernel " +
                                    release + " is \""));
  EXPECT_THAT(log.Text(), HasSubstr("this module was built for \"struct seeded *(void)\""));
  EXPECT_THAT(log.Text(), HasSubstr("utrace: not loaded: build the module for this kernel"));
  ExpectNotLoaded();
}

TEST_F(SeedRefusalTest, AKernelItWasNotTriedOn) {
  KernelLog log;
  EXPECT_EQ(LoadModule("utrace", "seed_release=6.5.0-5-amd64"), -EOPNOTSUPP);
  EXPECT_THAT(log.Text(), HasSubstr("utrace: not loaded: the module was not tried on kernel "
                                    "6.5.0-5-amd64, only on the series 6.1, 6.12 and 7.3; to load "
                                    "it all the same give allow_untried=1"));
  ExpectNotLoaded();
  EXPECT_EQ(LoadModule("utrace", "seed_release=6.5.0-5-amd64 allow_untried=1"), 0);
  EXPECT_THAT(log.Text(), HasSubstr("loaded on kernel 6.5.0-5-amd64, on which it was not tried"));
  EXPECT_EQ(RunCli({"doctor"}).status, 0) << "and it works";
}

TEST_F(SeedRefusalTest, AToolOfAnotherContract) {
  ASSERT_EQ(LoadModule("utrace", "seed_contract=2"), 0);
  Fork target([]() -> int {
    for (;;) pause();
  });
  const std::string pid = std::to_string(target.pid());
  for (const Cli::Args& args : {Cli::Args{"stop", "-p", pid},
                                {"hold", "--tree", pid},
                                {"hold", "--", "echo", "ran"},
                                {"resume", pid},
                                {"ps"},
                                {"engine", "list"},
                                {"engine", "detach", "7"}}) {
    const CliResult result = RunCli(args);
    EXPECT_NE(result.status, 0);
    EXPECT_THAT(result.err, HasSubstr("utracectl: speak to the utrace module: it is version "));
    EXPECT_THAT(result.err, HasSubstr(" and speaks contract 2, this tool is version "));
    EXPECT_THAT(result.err, HasSubstr(" and speaks contract 1; take both from one build: sudo "
                                      "rmmod utrace, then sudo insmod utrace.ko"));
    EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
    EXPECT_EQ(result.out, "");
  }
  EXPECT_TRUE(Device::Open(O_RDONLY).List().empty());
  EXPECT_EQ(RunCli({"status"}).status, 1);
  EXPECT_THAT(RunCli({"status"}).out, HasSubstr("of no use: speak to the utrace module"));
  EXPECT_EQ(RunCli({"doctor"}).status, 1);
  EXPECT_THAT(RunCli({"doctor"}).out, HasSubstr("MISSING  speak to the utrace module"));
  const CliResult trace = RunCli({"trace", "--", "true"});
  EXPECT_EQ(trace.status, 0);
  EXPECT_THAT(trace.err, HasSubstr("since: speak to the utrace module"));
  EXPECT_THAT(trace.err, HasSubstr("+++ exited with 0 +++\n"));
}

}  // namespace
}  // namespace utrace::test
