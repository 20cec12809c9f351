// SPDX-License-Identifier: Apache-2.0
// The bytes of the engines that come with the library.
#ifndef UTRACE_LIBUTRACE_BPF_BUILT_IN_H_
#define UTRACE_LIBUTRACE_BPF_BUILT_IN_H_

#include "absl/strings/string_view.h"
#include "userspace/libutrace/bpf/engine_object.h"

namespace utrace {

struct BuiltInObject {
  const char* name;
  absl::string_view bytes;  // of its file
};

BuiltInObject ObjectOf(BuiltInEngine which);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_BUILT_IN_H_
