// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_map.h"

#include <bpf/libbpf.h>

namespace utrace {

EngineMap MapOf(const bpf_object* object, const char* name) {
  const bpf_map* map = bpf_object__find_map_by_name(object, name);
  if (map == nullptr) return {};
  return {bpf_map__fd(map),
          bpf_object__btf(object),
          bpf_map__btf_key_type_id(map),
          bpf_map__btf_value_type_id(map),
          bpf_map__key_size(map),
          bpf_map__value_size(map)};
}

}  // namespace utrace
