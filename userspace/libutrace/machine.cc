// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/machine.h"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace utrace {
namespace {

int ReadNumber(const char* path, int otherwise) {
  std::ifstream file(path);
  int number = 0;
  return file >> number ? number : otherwise;
}

bool ModuleIsInstalled(const std::string& release) {
  std::ifstream index(absl::StrCat("/lib/modules/", release, "/modules.dep"));
  for (std::string line; std::getline(index, line);) {
    if (absl::StrContains(line.substr(0, line.find(':')), "/utrace.ko")) return true;
  }
  return false;
}

}  // namespace

bool ModuleLoaded() { return ::access("/sys/module/utrace", F_OK) == 0; }

bool ModuleHasBtf() { return ::access("/sys/kernel/btf/utrace", R_OK) == 0; }

std::string HowToLoadModule() {
  utsname names{};
  ::uname(&names);
  if (ModuleIsInstalled(names.release)) return "sudo modprobe utrace";
  return absl::StrCat("sudo insmod utrace.ko, built for kernel ", names.release,
                      " as README.md says");
}

int YamaScope() { return ReadNumber("/proc/sys/kernel/yama/ptrace_scope", 0); }

bool InInitialPidNamespace() {
  // PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h, the same on all.
  constexpr ino_t kInitial = 0xEFFFFFFC;
  struct stat status {};
  return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kInitial;
}

bool FunctionTracingIsOff() { return ReadNumber("/proc/sys/kernel/ftrace_enabled", 1) == 0; }

}  // namespace utrace
