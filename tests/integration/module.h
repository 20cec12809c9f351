// SPDX-License-Identifier: Apache-2.0
// Loading and unloading the module, and what the kernel says of it.
#ifndef TESTS_INTEGRATION_MODULE_H_
#define TESTS_INTEGRATION_MODULE_H_

#include <string>

namespace utrace::test {

// The one beside the tests' folder. Both give 0 or -errno.
int LoadModule(const std::string& name = "utrace", const std::string& parameters = "");
int LoadModuleFile(const std::string& path, const std::string& parameters = "");
int UnloadModule(const std::string& name = "utrace");
bool ModuleIsLoaded(const std::string& name = "utrace");
std::string ModulePath(const std::string& name);

// Every function of the kernel that somebody hooks, with his name.
std::string HookedFunctions();

// What the kernel logs from here on.
class KernelLog {
 public:
  KernelLog();
  ~KernelLog();
  KernelLog(const KernelLog&) = delete;
  KernelLog& operator=(const KernelLog&) = delete;

  std::string Text();

 private:
  int fd_;
  std::string text_;
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_MODULE_H_
