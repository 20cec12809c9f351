// SPDX-License-Identifier: Apache-2.0
// An expression as BPF instructions.
#ifndef UTRACE_LIBUTRACE_PREDICATE_COMPILE_H_
#define UTRACE_LIBUTRACE_PREDICATE_COMPILE_H_

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "userspace/libutrace/predicate/expression.h"

namespace utrace {

// Code that runs through to its end, with 1 in r0 for a call that is wanted, or 0. It begins with
// r1 at a utrace_predicate_view and r2 at UTRACE_PREDICATE_ROOM bytes, and uses r0 to r9.
//
// ResourceExhausted: longer than UTRACE_PREDICATE_INSNS.
absl::StatusOr<std::vector<bpf_insn>> CompileExpression(const Expression& expression);

// Puts the code where a BPF object, as its file has it, has room for it
// (bpf/engines/predicate.bpf.h). NotFound: it has none.
absl::Status PutPredicate(const std::vector<bpf_insn>& code, std::string& object);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PREDICATE_COMPILE_H_
