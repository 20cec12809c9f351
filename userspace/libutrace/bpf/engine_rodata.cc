// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_rodata.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "absl/strings/match.h"

namespace utrace {

std::vector<RodataVariable> RodataVariables(const bpf_object* object) {
  const btf* types = bpf_object__btf(object);
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  std::vector<RodataVariable> variables;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    size_t size = 0;
    if (!absl::EndsWith(bpf_map__name(map), ".rodata") || section < 0) continue;
    char* memory = static_cast<char*>(bpf_map__initial_value(map, &size));
    const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(section));
    const btf_var_secinfo* rows = btf_var_secinfos(type);
    for (int i = 0; memory != nullptr && i < btf_vlen(type); ++i) {
      const btf_type* var = btf__type_by_id(types, rows[i].type);
      if (btf_var(var)->linkage == BTF_VAR_STATIC) continue;
      variables.push_back(
          {btf__name_by_offset(types, var->name_off), rows[i].type, memory, rows[i].offset, size});
    }
  }
  return variables;
}

char* FindRodata(const bpf_object* object, absl::string_view name, size_t size) {
  for (const RodataVariable& variable : RodataVariables(object)) {
    if (variable.name == name && variable.offset + size <= variable.size) {
      return variable.memory + variable.offset;
    }
  }
  return nullptr;
}

}  // namespace utrace
