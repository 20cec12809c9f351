// SPDX-License-Identifier: Apache-2.0
// What an expression says of a call, outside the kernel: by this the compiled one is judged.
#ifndef UTRACE_LIBUTRACE_PREDICATE_EVALUATE_H_
#define UTRACE_LIBUTRACE_PREDICATE_EVALUATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/libutrace/event.h"
#include "userspace/libutrace/predicate/expression.h"

namespace utrace {

struct PredicateCall {
  uint32_t nr = 0;
  Abi abi = Abi::kX8664;
  int64_t ret = 0;
  std::array<uint64_t, 6> args{};
  std::optional<int32_t> fd;
  std::optional<std::string> path;
  uint32_t pid = 0;
  uint32_t tid = 0;
  uint32_t uid = 0;
  std::string comm;
  std::vector<uint64_t> cgroups;  // its own is the last, the root the first
};

bool Evaluate(const Expression& expression, const PredicateCall& call);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PREDICATE_EVALUATE_H_
