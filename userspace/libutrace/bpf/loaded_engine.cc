// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/loaded_engine.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_list.h"

namespace utrace {
namespace {

constexpr uint32_t kMostMaps = 64;

template <typename Info>
bool Describe(int fd, Info* info) {
  uint32_t length = sizeof(*info);
  return ::bpf_obj_get_info_by_fd(fd, info, &length) == 0;
}

EngineMap MapFrom(int fd, const btf* types, const bpf_map_info& info) {
  return {fd, types, info.btf_key_type_id, info.btf_value_type_id, info.key_size, info.value_size};
}

}  // namespace

absl::StatusOr<OpenedEngine> OpenedEngine::Open(const std::string& name) {
  const std::string what = absl::StrCat("read what engine ", name, " tells");
  ASSIGN_OR_RETURN(const std::vector<LoadedEngine> engines, ListLoadedEngines());
  for (const LoadedEngine& engine : engines) {
    if (engine.name != name) continue;
    OpenedEngine opened;
    opened.link_ = engine.link_id;
    const absl::Status status = opened.OpenMaps(engine.program);
    if (!status.ok()) return ErrnoStatus(ErrnoOf(status), what, status.message());
    return opened;
  }
  return ErrnoStatus(ENOENT, what, "there is none of that name; see utracectl engine list");
}

// Those that its programs use: any of them has all, but for what only another one uses.
absl::Status OpenedEngine::OpenMaps(uint32_t program) {
  const UniqueFd fd(::bpf_prog_get_fd_by_id(program));
  if (!fd) return LastErrno("open one of its programs");
  uint32_t ids[kMostMaps];
  bpf_prog_info info{};
  info.nr_map_ids = kMostMaps;
  info.map_ids = reinterpret_cast<uintptr_t>(ids);
  if (!Describe(fd.Get(), &info)) return LastErrno("look at one of its programs");
  types_.reset(btf__load_from_kernel_by_id(info.btf_id));
  if (!types_) return LastErrno("read its types");
  for (uint32_t i = 0; i < info.nr_map_ids && i < kMostMaps; ++i) {
    UniqueFd map(::bpf_map_get_fd_by_id(ids[i]));
    bpf_map_info about{};
    if (!map || !Describe(map.Get(), &about)) return LastErrno("open one of its maps");
    if (std::strcmp(about.name, kRecordsMap) == 0 && about.type == BPF_MAP_TYPE_RINGBUF) {
      records_ = MapFrom(map.Get(), types_.get(), about);
      records_fd_ = std::move(map);
    } else if (std::strcmp(about.name, kTableMap) == 0 && about.type == BPF_MAP_TYPE_HASH) {
      table_ = MapFrom(map.Get(), types_.get(), about);
      table_fd_ = std::move(map);
    }
  }
  return absl::OkStatus();
}

bool OpenedEngine::Lives() const {
  const absl::StatusOr<std::vector<LoadedEngine>> engines = ListLoadedEngines();
  if (!engines.ok()) return false;
  for (const LoadedEngine& engine : *engines) {
    if (engine.link_id == link_) return true;
  }
  return false;
}

}  // namespace utrace
