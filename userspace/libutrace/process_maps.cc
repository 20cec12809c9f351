// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/process_maps.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "userspace/base/errno_status.h"

namespace utrace {

std::string Mapping::FileOf(pid_t pid) const {
  return absl::StrFormat("/proc/%d/map_files/%x-%x", pid, begin, end);
}

absl::StatusOr<std::vector<Mapping>> ReadMappings(pid_t pid) {
  const std::string name = absl::StrCat("/proc/", pid, "/maps");
  std::ifstream file(name);
  if (!file) return LastErrno(absl::StrCat("read ", name));
  std::vector<Mapping> mappings;
  for (std::string line; std::getline(file, line);) {
    Mapping mapping;
    char executable = '-';
    int path = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*2c%c%*s %*s %*s %*s %n",
                    &mapping.begin, &mapping.end, &executable, &path) != 3) {
      continue;
    }
    mapping.executable = executable == 'x';
    mapping.path = line.substr(static_cast<size_t>(path));
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

const Mapping* MappingAt(const std::vector<Mapping>& mappings, uint64_t address) {
  const auto after = std::upper_bound(
      mappings.begin(), mappings.end(), address,
      [](uint64_t value, const Mapping& mapping) { return value < mapping.begin; });
  if (after == mappings.begin() || std::prev(after)->end <= address) return nullptr;
  return &*std::prev(after);
}

}  // namespace utrace
