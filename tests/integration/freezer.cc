// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/freezer.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <iterator>

namespace utrace::test {
namespace {

constexpr char kMount[] = "/tmp/cgroup";

std::string MakeGroup() {
  mkdir(kMount, 0755);
  mount("none", kMount, "cgroup2", 0, nullptr);
  const std::string path = std::string(kMount) + "/frozen";
  mkdir(path.c_str(), 0755);
  return path;
}

bool WriteNumber(const std::string& path, long number) {
  return static_cast<bool>(std::ofstream(path) << number << std::flush);
}

}  // namespace

Freezer::Freezer() : path_(MakeGroup()) {}

bool Freezer::Add(pid_t pid) const { return WriteNumber(path_ + "/cgroup.procs", pid); }

bool Freezer::Freeze(bool frozen) const { return WriteNumber(path_ + "/cgroup.freeze", frozen); }

bool Freezer::IsFrozen() const {
  std::ifstream events(path_ + "/cgroup.events");
  const std::string text(std::istreambuf_iterator<char>(events), {});
  return text.find("frozen 1") != std::string::npos;
}

}  // namespace utrace::test
