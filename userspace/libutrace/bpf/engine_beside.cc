// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_beside.h"

#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "include/uapi/utrace_bpf.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_pins.h"
#include "userspace/libutrace/bpf/engine_rodata.h"
#include "userspace/libutrace/bpf/libbpf_log.h"

namespace utrace {
namespace {

constexpr char kVariable[] = "utrace_name";  // of bpf/include/utrace_beside.bpf.h

// Of Linux 6.8's linux/lsm.h, which Debian 12 does not have.
#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461
#endif
constexpr uint64_t kBpfSecurityModule = 109;

// Without it the kernel attaches such programs, and never calls one.
absl::Status CheckRunsSecurityPrograms() {
  constexpr char kWhat[] = "find out whether BPF is among the kernel's security modules";
  uint64_t modules[64];
  uint32_t size = sizeof(modules);
  const long count = ::syscall(SYS_lsm_list_modules, modules, &size, 0);
  if (count < 0) return LastErrno(kWhat);
  if (std::find(modules, modules + count, kBpfSecurityModule) != modules + count) {
    return absl::OkStatus();
  }
  return ErrnoStatus(EOPNOTSUPP, "attach a security program",
                     "BPF is not among the kernel's security modules: boot with lsm= and the list "
                     "of /sys/kernel/security/lsm followed by ,bpf");
}

}  // namespace

void LinkDeleter::operator()(bpf_link* link) const { bpf_link__destroy(link); }

void TellEngineName(const bpf_object* object, const std::string& name) {
  if (char* memory = FindRodata(object, kVariable, UTRACE_BPF_NAME_SIZE)) {
    std::strncpy(memory, name.c_str(), UTRACE_BPF_NAME_SIZE - 1);
  }
}

absl::Status BesidePrograms::Attach(const bpf_object* object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const bpf_prog_type type = bpf_program__type(program);
    if (type == BPF_PROG_TYPE_STRUCT_OPS) continue;
    const std::string name = bpf_program__name(program);
    if (type == BPF_PROG_TYPE_LSM) RETURN_IF_ERROR(CheckRunsSecurityPrograms());
    LibbpfLog log;
    Link link(bpf_program__attach(program));
    if (!link) return LastErrno(absl::StrCat("attach the program ", name));
    attached_.push_back({name, std::move(link)});
  }
  return absl::OkStatus();
}

absl::Status BesidePrograms::Pin(const std::string& engine) const {
  for (const Attached& one : attached_) {
    RETURN_IF_ERROR(PinBesideEngine(engine, one.program, one.link.get()));
  }
  return absl::OkStatus();
}

}  // namespace utrace
