// SPDX-License-Identifier: Apache-2.0
// What an engine in BPF is to the kernel: struct utrace_bpf_engine_ops, in the module's types and
// in an object's.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_TYPES_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "include/uapi/utrace_bpf.h"

struct btf;
struct btf_member;

namespace utrace {

inline constexpr char kEngineType[] = "utrace_bpf_engine_ops";
// Of a map that holds one.
inline constexpr char kEngineMapType[] = "bpf_struct_ops_utrace_bpf_engine_ops";

// Whether the module that is loaded takes BPF engines. The error says what is missing.
absl::Status CheckTakesEngines();

struct BtfDeleter {
  void operator()(btf* types) const;
};
using Btf = std::unique_ptr<btf, BtfDeleter>;

// The module's types lie over the kernel's, which have to live as long.
struct ModuleTypes {
  Btf kernel;
  Btf module;
};
absl::StatusOr<ModuleTypes> ReadModuleTypes();

// Of the struct in these types, nullptr if it or the member is not there.
const btf_member* FindMember(const btf* types, const char* type, absl::string_view member);

// Where in a struct_ops map's value the engine's own members begin.
absl::StatusOr<size_t> EngineDataOffset(const btf* types);

struct EngineName {
  char text[UTRACE_BPF_NAME_SIZE];
};
std::string TextOf(const EngineName& name);

// A member that is a program, and what one that has it hears of.
struct EngineReport {
  const char* member;
  uint32_t events;
};
inline constexpr EngineReport kEngineReports[] = {
    {"report_quiesce", UTRACE_EVENT(QUIESCE)},
    {"report_syscall_entry", UTRACE_EVENT(SYSCALL_ENTRY)},
    {"report_syscall_exit", UTRACE_EVENT(SYSCALL_EXIT)},
    {"report_signal", UTRACE_EVENTS_OF_SIGNAL},
    {"report_jctl", UTRACE_EVENT(JCTL)},
    {"report_clone", UTRACE_EVENT(CLONE)},
    {"report_exec", UTRACE_EVENT(EXEC)},
    {"report_exit", UTRACE_EVENT(EXIT)},
    {"report_step", UTRACE_EVENT(STEP)},
    {"report_death", UTRACE_EVENT(DEATH)},
    {"report_reap", UTRACE_EVENT(REAP)},
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_TYPES_H_
