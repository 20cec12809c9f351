// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/tracefs.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace utrace::test {
namespace {

constexpr char kTracing[] = "/sys/kernel/tracing/";

}  // namespace

int WriteTracing(const std::string& name, const std::string& line, int flags) {
  const int fd = open((kTracing + name).c_str(), O_WRONLY | O_CLOEXEC | flags);
  if (fd < 0) return errno;
  const std::string text = line + "\n";
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = written ? 0 : errno;
  close(fd);
  return error;
}

std::string ReadTracing(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(kTracing + name).rdbuf();
  return text.str();
}

}  // namespace utrace::test
