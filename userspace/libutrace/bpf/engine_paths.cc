// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_paths.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/unique_fd.h"

namespace utrace {
namespace {

constexpr char kMap[] = "utrace_paths";

// "ino:	812"
std::optional<uint64_t> Number(const std::string& line, absl::string_view key) {
  absl::string_view rest = line;
  uint64_t number = 0;
  if (!absl::ConsumePrefix(&rest, key) || !absl::SimpleAtoi(rest, &number)) return std::nullopt;
  return number;
}

// Of that mount's super block.
std::optional<uint64_t> DeviceOf(uint64_t mount) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream words(line);
    uint64_t id = 0, parent = 0, major = 0, minor = 0;
    char colon = 0;
    words >> id >> parent >> major >> colon >> minor;
    if (words && id == mount) return major << 20 | minor;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<utrace_path> IdentifyPath(const std::string& path) {
  const std::string what = absl::StrCat("find ", path);
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return LastErrno(what);
  std::ifstream info(absl::StrCat("/proc/self/fdinfo/", fd.Get()));
  std::optional<uint64_t> inode, mount;
  std::string line;
  while (std::getline(info, line)) {
    if (const auto number = Number(line, "ino:")) inode = number;
    if (const auto number = Number(line, "mnt_id:")) mount = number;
  }
  const std::optional<uint64_t> device = mount ? DeviceOf(*mount) : std::nullopt;
  if (!inode || !device) {
    return ErrnoStatus(ENOTSUP, what, "/proc does not say which file it is: is it mounted?");
  }
  return utrace_path{*device, *inode};
}

absl::Status TellPaths(const bpf_object* object, const std::string& engine,
                       const std::vector<utrace_path>& paths) {
  const std::string what = absl::StrCat("tell engine ", engine, " its files");
  const bpf_map* map = bpf_object__find_map_by_name(object, kMap);
  if (map == nullptr && paths.empty()) return absl::OkStatus();
  if (map == nullptr) return ErrnoStatus(EINVAL, what, "it takes no --path");
  if (paths.empty()) return ErrnoStatus(EINVAL, what, "say by --path which they are");
  if (paths.size() > UTRACE_PATHS) {
    return ErrnoStatus(E2BIG, what, absl::StrCat("it takes at most ", UTRACE_PATHS));
  }
  for (const utrace_path& path : paths) {
    const uint32_t value = 1;
    if (::bpf_map_update_elem(bpf_map__fd(map), &path, &value, BPF_ANY) != 0) {
      return LastErrno(what);
    }
  }
  return absl::OkStatus();
}

}  // namespace utrace
