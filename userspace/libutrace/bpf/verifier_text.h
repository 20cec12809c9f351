// SPDX-License-Identifier: Apache-2.0
// What the kernel's verifier says against a program, in words for its author.
#ifndef UTRACE_LIBUTRACE_BPF_VERIFIER_TEXT_H_
#define UTRACE_LIBUTRACE_BPF_VERIFIER_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace utrace {

// Of libbpf's messages, whose last lines suffice: the program, the place in its source, the
// complaint, and where it is one of the usual ones what to do, in up to three lines. Empty if there
// is no verifier's log among them.
std::string ExplainVerifier(absl::string_view messages);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_VERIFIER_TEXT_H_
