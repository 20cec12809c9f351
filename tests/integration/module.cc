// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/module.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "gtest/gtest.h"
#include "tests/integration/harness.h"

namespace utrace::test {

std::string ModulePath(const std::string& name) {
  const std::string tracees = TraceePath("");
  return tracees.substr(0, tracees.rfind("/tracees")) + "/" + name + ".ko";
}

int LoadModuleFile(const std::string& path, const std::string& parameters) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int error = syscall(SYS_finit_module, fd, parameters.c_str(), 0) != 0 ? -errno : 0;
  close(fd);
  return error;
}

int LoadModule(const std::string& name, const std::string& parameters) {
  return LoadModuleFile(ModulePath(name), parameters);
}

int UnloadModule(const std::string& name) {
  return syscall(SYS_delete_module, name.c_str(), O_NONBLOCK) != 0 ? -errno : 0;
}

bool ModuleIsLoaded(const std::string& name) {
  return access(("/sys/module/" + name + "/refcnt").c_str(), F_OK) == 0;
}

std::string HookedFunctions() {
  std::ifstream file("/sys/kernel/tracing/enabled_functions");
  EXPECT_TRUE(file.is_open());
  return std::string(std::istreambuf_iterator<char>(file), {});
}

KernelLog::KernelLog() : fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  EXPECT_GE(fd_, 0);
  lseek(fd_, 0, SEEK_END);
}

KernelLog::~KernelLog() { close(fd_); }

std::string KernelLog::Text() {
  // One record a read: "level,number,time,-;text".
  char record[8192];
  ssize_t size;
  while ((size = read(fd_, record, sizeof(record))) > 0 || (size < 0 && errno == EPIPE)) {
    if (size < 0) continue;
    const std::string line(record, static_cast<size_t>(size));
    text_ += line.substr(line.find(';') + 1);
  }
  return text_;
}

}  // namespace utrace::test
