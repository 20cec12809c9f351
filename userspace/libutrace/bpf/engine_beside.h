// SPDX-License-Identifier: Apache-2.0
// Programs of other types in an engine's object, bpf/include/utrace_beside.bpf.h: attached as long
// as this lives, or is pinned.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_BESIDE_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_BESIDE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

struct bpf_link;
struct bpf_object;

namespace utrace {

struct LinkDeleter {
  void operator()(bpf_link* link) const;
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

// What their engine is called, before the object is loaded.
void TellEngineName(const bpf_object* object, const std::string& name);

class BesidePrograms {
 public:
  // All of the object's, which is loaded. EOPNOTSUPP: the kernel would never run one.
  absl::Status Attach(const bpf_object* object);
  absl::Status Pin(const std::string& engine) const;

 private:
  struct Attached {
    std::string program;
    Link link;
  };
  std::vector<Attached> attached_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_BESIDE_H_
