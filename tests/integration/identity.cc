// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/identity.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace utrace::test {
namespace {

constexpr char kScope[] = "/proc/sys/kernel/yama/ptrace_scope";

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

  bool Get() { return syscall(SYS_capget, &header, data) == 0; }
  bool Set() { return syscall(SYS_capset, &header, data) == 0; }
};

bool WriteTo(const char* path, const std::string& text) {
  return static_cast<bool>(std::ofstream(path) << text << std::flush);
}

}  // namespace

bool BecomeUser(uid_t uid, const std::vector<int>& kept) {
  if (prctl(PR_SET_KEEPCAPS, 1) != 0 || setgroups(0, nullptr) != 0 ||
      setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
    return false;
  Capabilities capabilities;
  for (const int capability : kept) {
    __user_cap_data_struct& data = capabilities.data[CAP_TO_INDEX(capability)];
    data.effective |= CAP_TO_MASK(capability);
    data.permitted |= CAP_TO_MASK(capability);
  }
  return capabilities.Set() && prctl(PR_SET_DUMPABLE, 1) == 0;
}

bool DropCapability(int capability) {
  Capabilities capabilities;
  if (!capabilities.Get()) return false;
  __user_cap_data_struct& data = capabilities.data[CAP_TO_INDEX(capability)];
  data.effective &= ~CAP_TO_MASK(capability);
  data.permitted &= ~CAP_TO_MASK(capability);
  return capabilities.Set();
}

bool BecomeRootOfANamespace() {
  const std::string uid = std::to_string(geteuid());
  const std::string gid = std::to_string(getegid());
  return unshare(CLONE_NEWUSER) == 0 && WriteTo("/proc/self/setgroups", "deny") &&
         WriteTo("/proc/self/uid_map", "0 " + uid + " 1") &&
         WriteTo("/proc/self/gid_map", "0 " + gid + " 1");
}

YamaScope::YamaScope() : before_(Get()) {}
YamaScope::~YamaScope() { Set(before_); }

void YamaScope::Set(int scope) { EXPECT_TRUE(WriteTo(kScope, std::to_string(scope))) << scope; }

int YamaScope::Get() {
  int scope = -1;
  std::ifstream(kScope) >> scope;
  return scope;
}

}  // namespace utrace::test
