// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_choice.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "include/uapi/utrace_predicate.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/decode/copy_rules.h"
#include "userspace/libutrace/predicate/compile.h"
#include "userspace/libutrace/predicate/expression.h"

namespace utrace {
namespace {

constexpr char kVariable[] = "utrace_choice";  // of bpf/include/utrace_choice.bpf.h

// That variable, in the memory its map begins with; nullptr if there is none.
utrace_choice* FindChoice(const bpf_object* object) {
  const btf* types = bpf_object__btf(object);
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (section < 0) return nullptr;
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(section));
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    size_t size = 0;
    if (!absl::EndsWith(bpf_map__name(map), ".rodata")) continue;
    char* memory = static_cast<char*>(bpf_map__initial_value(map, &size));
    for (int i = 0; memory != nullptr && i < btf_vlen(type); ++i) {
      const btf_var_secinfo& variable = btf_var_secinfos(type)[i];
      const btf_type* var = btf__type_by_id(types, variable.type);
      if (std::strcmp(btf__name_by_offset(types, var->name_off), kVariable) == 0 &&
          variable.offset + sizeof(utrace_choice) <= size) {
        return reinterpret_cast<utrace_choice*>(memory + variable.offset);
      }
    }
  }
  return nullptr;
}

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

absl::StatusOr<std::string> EngineChoice::PutInto(const std::string& path) const {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return LastErrno(absl::StrCat("read ", path));
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (PutPredicate(code_, bytes).ok()) return bytes;
  return ErrnoStatus(EINVAL, absl::StrCat("load ", path, " with an expression"),
                     "it has no room for one: its programs do not ask utrace_chosen() of "
                     "utrace_choice.bpf.h");
}

absl::Status EngineChoice::Tell(bpf_object* object) const {
  utrace_choice* choice = FindChoice(object);
  if (choice == nullptr) {
    return ErrnoStatus(EINVAL, absl::StrCat("tell an engine its expression"),
                       absl::StrCat("its object has no variable ", kVariable));
  }
  choice->chooses = 1;
  choice->reads_path = reads_path_;
  SetCalls(Abi::kX8664, choice->calls_64);
  SetCalls(Abi::kI386, choice->calls_32);
  return absl::OkStatus();
}

}  // namespace utrace
