// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_types.h"

#include <bpf/btf.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/machine.h"

namespace utrace {
namespace {

constexpr char kModuleBtf[] = "/sys/kernel/btf/utrace";

}  // namespace

void BtfDeleter::operator()(btf* types) const { btf__free(types); }

const btf_member* FindMember(const btf* types, const char* type, absl::string_view member) {
  const int id = btf__find_by_name_kind(types, type, BTF_KIND_STRUCT);
  if (id < 0) return nullptr;
  const btf_type* structure = btf__type_by_id(types, static_cast<uint32_t>(id));
  const btf_member* members = btf_members(structure);
  for (int i = 0; i < btf_vlen(structure); ++i) {
    if (member == btf__name_by_offset(types, members[i].name_off)) return &members[i];
  }
  return nullptr;
}

absl::StatusOr<ModuleTypes> ReadModuleTypes() {
  ModuleTypes types;
  types.kernel.reset(btf__load_vmlinux_btf());
  if (!types.kernel) return LastErrno("read the kernel's types, /sys/kernel/btf/vmlinux");
  types.module.reset(btf__load_module_btf("utrace", types.kernel.get()));
  if (!types.module) return LastErrno(absl::StrCat("read the module's types, ", kModuleBtf));
  return types;
}

absl::StatusOr<size_t> EngineDataOffset(const btf* types) {
  const btf_member* data = FindMember(types, kEngineMapType, "data");
  if (data == nullptr) {
    return ErrnoStatus(EOPNOTSUPP, "find the type of BPF engines in the utrace module",
                       "this kernel takes no such types from modules: it has to be 6.9 or later");
  }
  return data->offset / 8;
}

std::string TextOf(const EngineName& name) {
  return std::string(name.text, ::strnlen(name.text, sizeof(name.text)));
}

absl::Status CheckTakesEngines() {
  if (!ModuleLoaded() || !ModuleHasBtf()) {
    return ErrnoStatus(
        ENOENT, "load a BPF engine",
        ModuleLoaded() ? "the utrace module was built without type information (BTF)"
                       : absl::StrCat("the utrace module is not loaded (", HowToLoadModule(), ")"));
  }
  ASSIGN_OR_RETURN(const ModuleTypes types, ReadModuleTypes());
  return EngineDataOffset(types.module.get()).status();
}

}  // namespace utrace
