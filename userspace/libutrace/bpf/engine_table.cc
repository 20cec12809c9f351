// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_table.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "userspace/base/errno_status.h"
#include "userspace/libutrace/bpf/engine_field.h"

namespace utrace {
namespace {

// Of a structure; nothing of another type.
std::vector<EngineField> Members(const btf* types, uint32_t id) {
  const int resolved = id == 0 ? -1 : btf__resolve_type(types, id);
  if (resolved < 0) return {};
  const auto structure = static_cast<uint32_t>(resolved);
  if (!btf_is_struct(btf__type_by_id(types, structure))) return {};
  return DescribeMembers(types, structure);
}

struct Entry {
  uint64_t count;
  std::vector<std::string> cells;
};

}  // namespace

absl::StatusOr<std::vector<std::vector<std::string>>> ReadEngineTable(const EngineMap& map) {
  std::vector<std::vector<std::string>> rows;
  if (map.fd < 0) return rows;
  const std::vector<EngineField> keys = Members(map.types, map.key_type);
  const std::vector<EngineField> values = Members(map.types, map.value_type);
  if (keys.empty() || values.empty()) return rows;

  std::vector<Entry> entries;
  std::vector<char> key(map.key_size), value(map.value_size);
  const int fd = map.fd;
  for (bool first = true;; first = false) {
    if (::bpf_map_get_next_key(fd, first ? nullptr : key.data(), key.data()) != 0) {
      if (errno == ENOENT) break;
      return LastErrno("read the engine's table");
    }
    if (::bpf_map_lookup_elem(fd, key.data(), value.data()) != 0) continue;  // deleted since
    const bool counts = values[0].kind != EngineField::Kind::kText;
    Entry entry{counts ? static_cast<uint64_t>(FieldNumber(values[0], value.data())) : 0, {}};
    for (const EngineField& field : keys) entry.cells.push_back(FieldText(field, key.data()));
    for (const EngineField& field : values) entry.cells.push_back(FieldText(field, value.data()));
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) return rows;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.count > b.count; });
  rows.emplace_back();
  for (const EngineField& field : keys) rows[0].push_back(field.name);
  for (const EngineField& field : values) rows[0].push_back(field.name);
  for (Entry& entry : entries) rows.push_back(std::move(entry.cells));
  return rows;
}

}  // namespace utrace
