// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/registers.h"

#include <elf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

#ifndef __x86_64__
#error "names of registers are known for x86-64 only"
#endif

namespace utrace {
namespace {

// Not in the C library's elf.h of all systems we build on.
constexpr uint32_t kShadowStackRegset = 0x204;
// AVX-512 and AMX tiles take under 12 KiB.
constexpr size_t kRegsetRoom = 16384;

struct RegsetName {
  absl::string_view name;
  uint32_t type;
};

constexpr RegsetName kRegsets[] = {
    {"general", NT_PRSTATUS},  {"float", NT_PRFPREG},         {"xstate", NT_X86_XSTATE},
    {"ioperm", NT_386_IOPERM}, {"shstk", kShadowStackRegset},
};

struct RegisterName {
  absl::string_view name;
  size_t offset;
};

#define REGISTER(name) \
  { #name, offsetof(user_regs_struct, name) }
constexpr RegisterName kRegisters[] = {
    REGISTER(rax),     REGISTER(rbx),     REGISTER(rcx),    REGISTER(rdx),      REGISTER(rsi),
    REGISTER(rdi),     REGISTER(rbp),     REGISTER(rsp),    REGISTER(r8),       REGISTER(r9),
    REGISTER(r10),     REGISTER(r11),     REGISTER(r12),    REGISTER(r13),      REGISTER(r14),
    REGISTER(r15),     REGISTER(rip),     REGISTER(eflags), REGISTER(orig_rax), REGISTER(cs),
    REGISTER(ss),      REGISTER(ds),      REGISTER(es),     REGISTER(fs),       REGISTER(gs),
    REGISTER(fs_base), REGISTER(gs_base),
};
#undef REGISTER

absl::StatusOr<uint32_t> RegsetType(absl::string_view name) {
  for (const RegsetName& regset : kRegsets) {
    if (regset.name == name) return regset.type;
  }
  return ErrnoStatus(
      EINVAL, absl::StrCat("find register set '", name, "' among ",
                           absl::StrJoin(kRegsets, ", ", [](std::string* out, const RegsetName& r) {
                             absl::StrAppend(out, r.name);
                           })));
}

absl::StatusOr<size_t> RegisterOffset(absl::string_view name) {
  for (const RegisterName& reg : kRegisters) {
    if (reg.name == name) return reg.offset;
  }
  return ErrnoStatus(EINVAL, absl::StrCat("find register '", name, "' among ",
                                          absl::StrJoin(Registers::Names(), ", ")));
}

absl::Status Transfer(const Engine& engine, pid_t tid, absl::string_view name, uint32_t flags,
                      void* buffer, uint32_t* length) {
  ASSIGN_OR_RETURN(const uint32_t type, RegsetType(name));
  auto request = Sized<utrace_regs>();
  request.flags = flags;
  request.engine = engine.Id();
  request.tid = tid;
  request.type = type;
  request.buf = reinterpret_cast<uintptr_t>(buffer);
  request.len = *length;
  const bool write = flags & UTRACE_EXAMINE_WRITE;
  RETURN_IF_ERROR(FromNegErrno(
      engine.device()->Regs(request),
      absl::StrCat(write ? "write" : "read", " ", name, " registers of thread ", tid)));
  *length = request.len;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::byte>> ReadRegset(const Engine& engine, pid_t tid,
                                                  absl::string_view name) {
  std::vector<std::byte> bytes(kRegsetRoom);
  auto length = static_cast<uint32_t>(bytes.size());
  RETURN_IF_ERROR(Transfer(engine, tid, name, 0, bytes.data(), &length));
  bytes.resize(length);
  return bytes;
}

absl::Status WriteRegset(const Engine& engine, pid_t tid, absl::string_view name,
                         absl::Span<const std::byte> bytes) {
  auto length = static_cast<uint32_t>(bytes.size());
  // The module only reads it.
  void* buffer = const_cast<std::byte*>(bytes.data());
  RETURN_IF_ERROR(Transfer(engine, tid, name, UTRACE_EXAMINE_WRITE, buffer, &length));
  if (length == bytes.size()) return absl::OkStatus();
  return ErrnoStatus(EIO, absl::StrCat("write ", name, " registers of thread ", tid, ": ", length,
                                       " of ", bytes.size(), " bytes done"));
}

absl::StatusOr<Registers> Registers::Read(const Engine& engine, pid_t tid) {
  Registers registers(engine, tid);
  ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadRegset(engine, tid, "general"));
  if (bytes.size() != sizeof(registers.values_)) {
    return ErrnoStatus(EOPNOTSUPP,
                       absl::StrCat("read general registers of thread ", tid, ": ", bytes.size(),
                                    " bytes, not a 64-bit thread's ", sizeof(registers.values_)));
  }
  std::memcpy(&registers.values_, bytes.data(), bytes.size());
  return registers;
}

absl::StatusOr<uint64_t> Registers::Get(absl::string_view name) const {
  ASSIGN_OR_RETURN(const size_t offset, RegisterOffset(name));
  uint64_t value;
  std::memcpy(&value, reinterpret_cast<const char*>(&values_) + offset, sizeof(value));
  return value;
}

absl::Status Registers::Set(absl::string_view name, uint64_t value) {
  ASSIGN_OR_RETURN(const size_t offset, RegisterOffset(name));
  std::memcpy(reinterpret_cast<char*>(&values_) + offset, &value, sizeof(value));
  return absl::OkStatus();
}

absl::Status Registers::Write() const {
  return WriteRegset(
      engine_, tid_, "general",
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&values_), sizeof(values_)));
}

std::vector<std::string> Registers::Names() {
  std::vector<std::string> names;
  for (const RegisterName& reg : kRegisters) names.emplace_back(reg.name);
  return names;
}

}  // namespace utrace
