// SPDX-License-Identifier: Apache-2.0
// The guest as every behaviour test relies on it.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace {

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string Output(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[512];
  while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) text += buffer;
  pclose(pipe);
  return text;
}

}  // namespace

TEST(GuestSmoke, RunsTheKernelThatWasAskedFor) {
  const char* series = std::getenv("UTRACE_KERNEL");
  ASSERT_NE(series, nullptr);
  utsname names;
  ASSERT_EQ(uname(&names), 0);
  const std::string wanted = std::string(series).substr(0, std::string(series).find('-'));
  if (wanted != "debug") {
    EXPECT_EQ(std::string(names.release).rfind(wanted + ".", 0), 0u) << names.release;
  } else {
    EXPECT_NE(std::string(names.release).find("utrace-debug"), std::string::npos) << names.release;
  }
}

TEST(GuestSmoke, ModuleBuiltForThisKernelLoadsWithItsBtfAndLeaves) {
  ASSERT_EQ(std::system("insmod /payload/utrace_splat.ko"), 0);
  EXPECT_TRUE(Exists("/sys/kernel/btf/utrace_splat"));
  EXPECT_EQ(std::system("rmmod utrace_splat"), 0);
  EXPECT_FALSE(Exists("/sys/module/utrace_splat"));
}

TEST(GuestSmoke, OwnModuleIsLoadedWithItsBtf) {
  if (!Exists("/payload/utrace.ko")) GTEST_SKIP() << "reason: this build has no module utrace";
  EXPECT_TRUE(Exists("/sys/module/utrace"));
  EXPECT_TRUE(Exists("/sys/kernel/btf/utrace"));
}

TEST(Guest, HasTheFileSystemsThatTracersUse) {
  for (const char* path :
       {"/sys/kernel/debug/sched", "/sys/kernel/tracing/events", "/sys/fs/cgroup/cgroup.procs",
        "/sys/kernel/btf/vmlinux", "/dev/null", "/dev/pts/ptmx", "/proc/self/fd"}) {
    EXPECT_TRUE(Exists(path)) << path;
  }
}

TEST(Guest, RunsThirtyTwoBitPrograms) { EXPECT_TRUE(Exists("/lib32/libc.so.6")); }

TEST(Guest, HasAnUnprivilegedUser) {
  const passwd* user = getpwnam("user");
  ASSERT_NE(user, nullptr);
  EXPECT_EQ(user->pw_uid, 1000u);
  EXPECT_EQ(Output("su user -c 'id -u'"), "1000\n");
}

TEST(Guest, HasTheClientsOfTheBehaviourTests) {
  for (const char* tool : {"strace", "gdb", "stress-ng", "python3", "busybox", "ip", "unshare"}) {
    EXPECT_EQ(std::system((std::string("command -v ") + tool + " >/dev/null").c_str()), 0) << tool;
  }
  EXPECT_EQ(Output("strace -o /dev/null -f sh -c 'echo $((6 * 7))'"), "42\n");
}

TEST(Guest, LoopbackIsUp) { EXPECT_EQ(Output("cat /sys/class/net/lo/flags"), "0x9\n"); }
