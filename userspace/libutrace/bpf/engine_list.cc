// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_list.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/bpf/engine_pins.h"
#include "userspace/libutrace/bpf/engine_types.h"

namespace utrace {
namespace {

// A struct_ops map's value, by the kernel's layout.
class EngineValue {
 public:
  static absl::StatusOr<EngineValue> Read(const btf* types, int map_fd, uint32_t size) {
    ASSIGN_OR_RETURN(const size_t offset, EngineDataOffset(types));
    EngineValue value(types, offset);
    value.bytes_.resize(size);
    const uint32_t key = 0;
    if (::bpf_map_lookup_elem(map_fd, &key, value.bytes_.data()) != 0) {
      return LastErrno("read a BPF engine's map");
    }
    return value;
  }

  // Zeros where there is no such member.
  template <typename T>
  T Member(absl::string_view name) const {
    T member{};
    const btf_member* found = FindMember(types_, kEngineType, name);
    if (found == nullptr) return member;
    const size_t at = offset_ + found->offset / 8;
    if (at + sizeof(member) <= bytes_.size()) {
      std::memcpy(&member, bytes_.data() + at, sizeof(member));
    }
    return member;
  }

 private:
  EngineValue(const btf* types, size_t offset) : types_(types), offset_(offset) {}

  const btf* types_;
  size_t offset_;
  std::vector<char> bytes_;
};

uint32_t EventsOf(const EngineValue& value) {
  const auto signals = value.Member<uint32_t>("signal_events");
  uint32_t events = 0;
  for (const EngineReport& report : kEngineReports) {
    // The number of its program, 0 if it has none.
    if (value.Member<uint64_t>(report.member) != 0) events |= report.events;
  }
  return signals == 0 ? events : events & (~uint32_t{UTRACE_EVENTS_OF_SIGNAL} | signals);
}

// Nothing if the link is of no engine.
absl::StatusOr<std::optional<LoadedEngine>> Look(const btf* types, uint32_t link_id) {
  const UniqueFd link(::bpf_link_get_fd_by_id(link_id));
  if (!link) {
    if (errno == ENOENT) return std::nullopt;  // gone since
    return LastErrno("open a BPF link of the system");
  }
  bpf_link_info info{};
  uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(link.Get(), &info, &length) != 0 ||
      info.type != BPF_LINK_TYPE_STRUCT_OPS) {
    return std::nullopt;
  }
  // The first word of the union, struct_ops.map_id, which Debian 12's headers do not have yet.
  // 0 once it was detached.
  const uint32_t map_id = info.tracing.attach_type;
  const UniqueFd map(::bpf_map_get_fd_by_id(map_id));
  bpf_map_info about{};
  length = sizeof(about);
  if (!map || ::bpf_obj_get_info_by_fd(map.Get(), &about, &length) != 0) return std::nullopt;
  const int value_type = btf__find_by_name_kind(types, kEngineMapType, BTF_KIND_STRUCT);
  if (value_type < 0 || about.btf_vmlinux_value_type_id != static_cast<uint32_t>(value_type)) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const EngineValue value, EngineValue::Read(types, map.Get(), about.value_size));
  LoadedEngine engine;
  engine.name = TextOf(value.Member<EngineName>("name"));
  const auto flags = value.Member<uint32_t>("flags");
  engine.every_exec = flags & UTRACE_TARGET_EXECS;
  engine.cgroup = flags & UTRACE_TARGET_CGROUP;
  if (!engine.cgroup) engine.target = value.Member<int32_t>("target");
  engine.events = EventsOf(value);
  for (const EngineReport& report : kEngineReports) {
    const auto program = static_cast<uint32_t>(value.Member<uint64_t>(report.member));
    if (program != 0) engine.program = program;
  }
  engine.link_id = link_id;
  engine.pinned = EngineIsPinned(engine.name);
  return engine;
}

}  // namespace

absl::StatusOr<std::vector<LoadedEngine>> ListLoadedEngines() {
  std::vector<LoadedEngine> engines;
  // Without the module, or a type of it, there can be none.
  if (!CheckTakesEngines().ok()) return engines;
  ASSIGN_OR_RETURN(const ModuleTypes types, ReadModuleTypes());
  for (uint32_t id = 0; ::bpf_link_get_next_id(id, &id) == 0;) {
    ASSIGN_OR_RETURN(std::optional<LoadedEngine> engine, Look(types.module.get(), id));
    if (engine.has_value()) engines.push_back(*std::move(engine));
  }
  if (errno != ENOENT) return LastErrno("list the BPF links of the system");
  return engines;
}

absl::Status UnloadEngine(const std::string& name) {
  const std::string what = absl::StrCat("unload engine ", name);
  ASSIGN_OR_RETURN(const std::vector<LoadedEngine> engines, ListLoadedEngines());
  for (const LoadedEngine& engine : engines) {
    if (engine.name != name) continue;
    const UniqueFd link(::bpf_link_get_fd_by_id(engine.link_id));
    if (!link || ::bpf_link_detach(link.Get()) != 0) return LastErrno(what);
    return RemoveEnginePins(name);
  }
  return ErrnoStatus(ENOENT, what, "there is none of that name; see utracectl engine list");
}

}  // namespace utrace
