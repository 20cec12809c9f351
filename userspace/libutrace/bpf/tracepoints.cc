// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/tracepoints.h"

#include <bpf/btf.h>

#include <memory>

namespace utrace {

bool TracepointsArePreemptible() {
  const std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), &btf__free);
  // Their readers are under SRCU, entered by a guard that came with that.
  return kernel &&
         btf__find_by_name_kind(kernel.get(), "class_srcu_fast_notrace_t", BTF_KIND_TYPEDEF) > 0 &&
         btf__find_by_name_kind(kernel.get(), "tracepoint_srcu_srcu_data", BTF_KIND_VAR) > 0;
}

}  // namespace utrace
