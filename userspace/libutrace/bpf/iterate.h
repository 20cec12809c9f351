// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_ITERATE_H_
#define UTRACE_LIBUTRACE_BPF_ITERATE_H_

#include <vector>

#include "absl/status/status.h"

struct bpf_link;

namespace utrace {

// Runs an attached iterator once over everything; `output` is all that it wrote.
absl::Status RunIterator(bpf_link* iterator, std::vector<char>& output);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ITERATE_H_
