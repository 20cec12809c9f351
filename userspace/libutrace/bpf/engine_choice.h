// SPDX-License-Identifier: Apache-2.0
// The expression of an engine: about which calls it is.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_CHOICE_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_CHOICE_H_

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct bpf_object;

namespace utrace {

class EngineChoice {
 public:
  // Errors as those of ParseExpression() and CompileExpression().
  static absl::StatusOr<EngineChoice> Compile(const std::string& expression);

  // Puts the code into the bytes of an object's file. EINVAL: it has no room for any.
  absl::Status PutInto(const std::string& path, std::string* bytes) const;
  // What its programs need to know besides, before they are loaded.
  absl::Status Tell(bpf_object* object) const;

 private:
  std::vector<bpf_insn> code_;
  bool reads_path_ = false;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_CHOICE_H_
