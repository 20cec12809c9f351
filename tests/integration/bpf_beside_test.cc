// SPDX-License-Identifier: Apache-2.0
// Programs of other types choose whom an engine in BPF is on, and let go what it holds.
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/debugger.h"
#include "tests/integration/engine_told.h"
#include "tests/integration/harness.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/libutrace/bpf/engine_types.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class BpfBeside : public testing::Test {
 protected:
  // engines/picker.bpf.c has the same.
  struct Told {
    int held;
    int unknown;
    int sleeping;
    int reserved;
    unsigned long long number;
    unsigned long long reports;
  };

  static bool NotHere() {
    const absl::Status status = CheckTakesEngines();
    if (status.ok()) return false;
    EXPECT_THAT(status.message(), HasSubstr("6.9 or later"));
    return true;
  }
  // On nobody yet.
  static std::unique_ptr<EngineObject> Attached(const std::string& program, pid_t waker,
                                                pid_t sleeper = 0) {
    absl::StatusOr<std::unique_ptr<EngineObject>> engine =
        EngineObject::Open("/payload/engines/picker.bpf.o");
    EXPECT_TRUE(engine.ok()) << engine.status();
    EXPECT_TRUE((*engine)->Set("program", program).ok());
    EXPECT_TRUE((*engine)->Set("waker", std::to_string(waker)).ok());
    EXPECT_TRUE((*engine)->Set("sleeper", std::to_string(sleeper)).ok());
    const absl::Status loaded = (*engine)->Load();
    EXPECT_TRUE(loaded.ok()) << loaded;
    const absl::Status attached = (*engine)->Attach();
    EXPECT_TRUE(attached.ok()) << attached;
    return *std::move(engine);
  }
  static Told ToldTo(const EngineObject& engine) { return test::ToldTo<Told>(engine); }
  static std::string MapsOf(pid_t pid) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    return {std::istreambuf_iterator<char>(maps), {}};
  }
  static bool Held(pid_t pid) {
    return Eventually([&] { return StateOf(pid) == 't'; });
  }
};

TEST_F(BpfBeside, SmokeWhatIsPickedAtItsExecIsHeldBeforeItsFirstInstruction) {
  if (NotHere()) return;
  Tracee waker({"actor"});
  const std::unique_ptr<EngineObject> engine = Attached("sleep", waker.pid());
  // Of all programs it is one.
  EXPECT_EQ(Cli::Of({"true"}).Wait(), 0);
  EXPECT_EQ(ToldTo(*engine).reports, 0u);
  Cli sleep = Cli::Of({"sleep", "1000"});
  ASSERT_TRUE(Held(sleep.pid()));
  EXPECT_THAT(MapsOf(sleep.pid()), Not(HasSubstr("libc.so")));
  EXPECT_EQ(ToldTo(*engine).held, sleep.pid());
  EXPECT_EQ(ToldTo(*engine).unknown, -ENOENT);
  EXPECT_THAT(RunCli({"ps", "-p", std::to_string(sleep.pid())}).out, HasSubstr("picker"));
  // Another program lets it go.
  waker.Kill(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return StateOf(sleep.pid()) == 'S'; }));
  EXPECT_EQ(ToldTo(*engine).reports, 1u);
  sleep.Kill(SIGKILL);
  sleep.Wait();
}

TEST_F(BpfBeside, WhatWasPickedGoesOnWithTheEnginesEnd) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached("sleep", 0);
  Cli sleep = Cli::Of({"sleep", "1000"});
  ASSERT_TRUE(Held(sleep.pid()));
  engine.reset();
  EXPECT_TRUE(Eventually([&] { return StateOf(sleep.pid()) == 'S'; }));
  sleep.Kill(SIGKILL);
  sleep.Wait();
}

// One that sleeps comes to it only when it wakes: the engine's end, and the module's, do not wait.
TEST_F(BpfBeside, WhoSleepsIsOnItBeforeItsNextInstructionOrNotAtAll) {
  if (NotHere()) return;
  const auto users = [] {
    std::ifstream file("/sys/module/utrace/refcnt");
    int count = -1;
    file >> count;
    return count;
  };
  ASSERT_TRUE(Eventually([&] { return users() == 0; }));
  Tracee tracee({"actor"});
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  std::unique_ptr<EngineObject> engine = Attached("nosuch", 0, tracee.pid());
  EXPECT_EQ(Cli::Of({"true"}).Wait(), 0);
  EXPECT_EQ(ToldTo(*engine).sleeping, 1);
  EXPECT_EQ(StateOf(tracee.pid()), 'S') << "it is not disturbed";
  engine.reset();
  EXPECT_TRUE(Eventually([&] { return users() == 0; }));
  const std::string call = "call " + std::to_string(SYS_getpriority) + " 0 0";
  EXPECT_EQ(tracee.Ask(call), "20");

  engine = Attached("nosuch", 0, tracee.pid());
  EXPECT_EQ(Cli::Of({"true"}).Wait(), 0);
  tracee.Tell(call);
  ASSERT_TRUE(Held(tracee.pid()));
  engine.reset();
  EXPECT_EQ(tracee.Hear(), "20");
}

// Programs are picked while the engine goes: none is left held, and the module can be removed.
TEST_F(BpfBeside, PickedWhileItGoes) {
  if (NotHere()) return;
  Cli shell = Cli::Of({"sh", "-c", "while :; do sleep 0.01; done"});
  for (int i = 0; i < 20; ++i) {
    std::unique_ptr<EngineObject> engine = Attached("sleep", 0);
    ASSERT_TRUE(Eventually([&] { return ToldTo(*engine).held != 0; }));
  }
  // One that was held would keep the shell.
  const std::unique_ptr<EngineObject> engine = Attached("sleep", 0);
  ASSERT_TRUE(Eventually([&] { return ToldTo(*engine).held != 0; }));
  shell.Kill(SIGKILL);
  shell.Wait();
}

}  // namespace
}  // namespace utrace::test
