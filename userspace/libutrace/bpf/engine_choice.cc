// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_choice.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "include/uapi/utrace_predicate.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_rodata.h"
#include "userspace/libutrace/decode/copy_rules.h"
#include "userspace/libutrace/predicate/compile.h"
#include "userspace/libutrace/predicate/expression.h"

namespace utrace {
namespace {

constexpr char kVariable[] = "utrace_choice";  // of bpf/include/utrace_choice.bpf.h

void SetCalls(Abi abi, utrace_choice_call* calls) {
  for (const utrace_copy_rules& rules : CopyRulesFor(abi)) *calls++ = {rules.path, rules.fd};
}

}  // namespace

absl::StatusOr<EngineChoice> EngineChoice::Compile(const std::string& expression) {
  EngineChoice choice;
  ASSIGN_OR_RETURN(const Expression parsed, ParseExpression(expression, Moment::kEntry));
  ASSIGN_OR_RETURN(choice.code_, CompileExpression(parsed));
  choice.reads_path_ = Uses(parsed, Field::kPath);
  return choice;
}

absl::Status EngineChoice::PutInto(const std::string& path, std::string* bytes) const {
  if (PutPredicate(code_, *bytes).ok()) return absl::OkStatus();
  return ErrnoStatus(EINVAL, absl::StrCat("load ", path, " with an expression"),
                     "it has no room for one: its programs do not ask utrace_chosen() of "
                     "utrace_choice.bpf.h");
}

absl::Status EngineChoice::Tell(bpf_object* object) const {
  auto* choice =
      reinterpret_cast<utrace_choice*>(FindRodata(object, kVariable, sizeof(utrace_choice)));
  if (choice == nullptr) {
    return ErrnoStatus(EINVAL, "tell an engine its expression",
                       absl::StrCat("its object has no variable ", kVariable));
  }
  choice->chooses = 1;
  choice->reads_path = reads_path_;
  SetCalls(Abi::kX8664, choice->calls_64);
  SetCalls(Abi::kI386, choice->calls_32);
  return absl::OkStatus();
}

}  // namespace utrace
