// SPDX-License-Identifier: Apache-2.0
// The maps by which an engine in BPF tells something: of bpf/include/utrace.bpf.h.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_MAP_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_MAP_H_

#include <cstdint>

struct bpf_object;
struct btf;

namespace utrace {

inline constexpr char kRecordsMap[] = "records";  // UTRACE_RECORDS()
inline constexpr char kTableMap[] = "table";      // UTRACE_TABLE()

// Of somebody else's, who lives as long.
struct EngineMap {
  int fd = -1;  // there is none
  const btf* types = nullptr;
  uint32_t key_type = 0;
  uint32_t value_type = 0;
  uint32_t key_size = 0;  // bytes
  uint32_t value_size = 0;
};

// Of an object that is loaded.
EngineMap MapOf(const bpf_object* object, const char* name);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_MAP_H_
