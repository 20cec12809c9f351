// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/observer_list.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "include/uapi/utrace_records.h"
#include "observe_bpf.skel.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/base/unique_fd.h"

namespace utrace {
namespace {

// The variables of an observer: libbpf names this map by the object, cut to fit.
constexpr char kVariables[] = "observe_.bss";
using Variables = std::remove_pointer_t<decltype(observe_bpf::bss)>;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Threads observed, by the id of the map that tells it; -1 for an observer of another version.
absl::StatusOr<std::map<uint32_t, int64_t>> FindVariables() {
  std::map<uint32_t, int64_t> found;
  for (uint32_t id = 0; ::bpf_map_get_next_id(id, &id) == 0;) {
    const UniqueFd map(::bpf_map_get_fd_by_id(id));
    if (!map) {
      if (errno == ENOENT) continue;  // gone since
      return LastErrno("open a BPF map of the system");
    }
    bpf_map_info info{};
    uint32_t length = sizeof(info);
    if (::bpf_obj_get_info_by_fd(map.Get(), &info, &length) != 0) continue;
    if (std::strcmp(info.name, kVariables) != 0) continue;
    Variables variables{};
    const uint32_t key = 0;
    // The map ends with the last variable, the structure with its padding.
    const size_t align = alignof(Variables);
    const bool known = (info.value_size + align - 1) / align * align == sizeof(variables) &&
                       ::bpf_map_lookup_elem(map.Get(), &key, &variables) == 0;
    found[id] = known ? static_cast<int64_t>(variables.live_threads) : -1;
  }
  if (errno != ENOENT) return LastErrno("list the BPF maps of the system");
  return found;
}

std::vector<std::string> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, DirCloser> dir(::opendir(path.c_str()));
  if (!dir) return names;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

// 0 if it is not of a map.
uint32_t MapIdOf(const std::string& fdinfo) {
  std::ifstream file(fdinfo);
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    uint32_t id = 0;
    if (absl::ConsumePrefix(&rest, "map_id:") && absl::SimpleAtoi(rest, &id)) return id;
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::vector<RunningObserver>> ListObservers() {
  ASSIGN_OR_RETURN(const auto variables, FindVariables());
  std::vector<RunningObserver> observers;
  if (variables.empty()) return observers;
  for (const std::string& name : NamesIn("/proc")) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(name, &pid)) continue;
    const std::string directory = absl::StrCat("/proc/", pid, "/fdinfo");
    for (const std::string& fd : NamesIn(directory)) {
      const auto found = variables.find(MapIdOf(absl::StrCat(directory, "/", fd)));
      if (found == variables.end()) continue;
      RunningObserver observer;
      observer.owner = pid;
      observer.owner_comm = ReadThread(pid).value_or(ThreadInfo()).comm;
      observer.threads = found->second;
      observers.push_back(std::move(observer));
      break;
    }
  }
  return observers;
}

}  // namespace utrace
