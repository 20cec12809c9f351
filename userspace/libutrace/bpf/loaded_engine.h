// SPDX-License-Identifier: Apache-2.0
// An engine that another process has loaded, or that is pinned: what it tells.
#ifndef UTRACE_LIBUTRACE_BPF_LOADED_ENGINE_H_
#define UTRACE_LIBUTRACE_BPF_LOADED_ENGINE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/bpf/engine_map.h"
#include "userspace/libutrace/bpf/engine_types.h"

namespace utrace {

class OpenedEngine {
 public:
  // ENOENT: there is none of that name.
  static absl::StatusOr<OpenedEngine> Open(const std::string& name);

  // Without a descriptor if its object has no such; they live as long as this.
  const EngineMap& Records() const { return records_; }
  const EngineMap& Table() const { return table_; }
  // Is it still attached?
  bool Lives() const;

 private:
  absl::Status OpenMaps(uint32_t program);

  uint32_t link_ = 0;
  Btf types_;
  UniqueFd records_fd_;
  UniqueFd table_fd_;
  EngineMap records_;
  EngineMap table_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_LOADED_ENGINE_H_
