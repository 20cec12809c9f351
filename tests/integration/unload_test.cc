// SPDX-License-Identifier: Apache-2.0
// The module leaves when nobody uses it, however recently somebody did, and not before.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/module.h"

namespace utrace::test {
namespace {

TEST(Unload, SmokeIsRefusedWhileThereAreEngines) {
  Tracee tracee({"spinner"});
  Device device = Device::Open();
  ASSERT_GT(device.Attach(tracee.pid(), 0), 0);
  EXPECT_EQ(UnloadModule(), -EWOULDBLOCK);
  EXPECT_EQ(device.List(tracee.pid()).size(), 1u);
}

// Held in every kind of callback a moment ago; the brake, and it goes.
TEST(Unload, SmokeAfterTheBrakeWithThreadsHeldEverywhere) {
  std::vector<std::unique_ptr<Tracee>> actors;
  Tracee spinner({"spinner", "3"});
  Device device = Device::Open();
  const struct {
    uint32_t event;
    std::string line;
  } cases[] = {
      {UTRACE_EVENT(SYSCALL_ENTRY), "call " + std::to_string(SYS_getpriority)},
      {UTRACE_EVENT(SYSCALL_EXIT), "call " + std::to_string(SYS_getpriority)},
      {UTRACE_EVENT(CLONE), "fork"},
      {UTRACE_EVENT(CLONE), "vfork"},
      {UTRACE_EVENT(EXEC), "exec"},
      {UTRACE_EVENT(EXIT), "exit 0"},
      // SIGWINCH to its process group, which all ignore.
      {UTRACE_EVENT(SIGNAL_IGN), "call " + std::to_string(SYS_kill) + " 0 28"},
  };
  for (const auto& each : cases) {
    actors.push_back(std::make_unique<Tracee>(std::vector<std::string>{"actor"}));
    const int64_t engine =
        device.AttachForCalls(actors.back()->pid(), each.event, {SYS_getpriority});
    ASSERT_GT(engine, 0);
    actors.back()->Tell(each.line);
    ASSERT_EQ(device.Next().type, UTRACE_NOTICE_HELD) << each.line;
  }
  // A fault, which stays queued.
  Tracee faulty({"handler"});
  ASSERT_EQ(faulty.Ask("handle 11"), "0");
  ASSERT_GT(device.Attach(faulty.pid(), UTRACE_EVENT(SIGNAL)), 0);
  faulty.Tell("fault 0x1000");
  ASSERT_EQ(device.Next().type, UTRACE_NOTICE_HELD);
  const int64_t engine = device.Attach(spinner.pid(), 0, UTRACE_TARGET_GROUP);
  device.Control(engine, 0, UTRACE_STOP);
  ASSERT_TRUE(Eventually([&] { return StateOf(spinner.pid()) == 't'; }));

  std::ofstream("/sys/class/misc/utrace/detach_all") << "1" << std::endl;
  device.Close();
  // The last reference to a file goes with a work of the kernel's, a moment later.
  EXPECT_TRUE(Eventually([] { return UnloadModule() == 0; }, 1000));
  EXPECT_EQ(access(UTRACE_DEVICE, F_OK), -1);
  EXPECT_EQ(HookedFunctions().find("utrace"), std::string::npos);
  EXPECT_TRUE(Runs(spinner.pid()));
  EXPECT_EQ(actors[0]->Hear(), "20");
  EXPECT_EQ(actors[1]->Hear(), "20");
  EXPECT_NE(actors[2]->Hear(), "");
  EXPECT_NE(actors[3]->Hear(), "");
  EXPECT_EQ(actors[4]->Hear(), "ready");
  EXPECT_EQ(actors[5]->Wait(), 0);
  EXPECT_EQ(actors[6]->Hear(), "0");
  EXPECT_EQ(faulty.Hear(), "0");
  ASSERT_EQ(LoadModule(), 0);
  EXPECT_GE(Device::Open().fd(), 0);
}

TEST(Unload, AnIdleModuleHooksNothing) {
  ASSERT_TRUE(Eventually([] { return UnloadModule() == 0; }, 1000));
  ASSERT_EQ(LoadModule(), 0);
  EXPECT_EQ(HookedFunctions().find("utrace"), std::string::npos) << HookedFunctions();
  {
    Device reader = Device::Open(O_RDONLY);
    EXPECT_GE(reader.fd(), 0);
    EXPECT_EQ(HookedFunctions().find("utrace"), std::string::npos) << "looking is no use";
  }
  {
    Device device = Device::Open();
    EXPECT_NE(HookedFunctions().find("wake_up_new_task"), std::string::npos) << HookedFunctions();
  }
  // They leave some seconds after the last user.
  EXPECT_TRUE(Eventually(
      [] { return HookedFunctions().find("wake_up_new_task") == std::string::npos; }, 15'000));
}

}  // namespace
}  // namespace utrace::test
