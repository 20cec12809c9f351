// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_option.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {
namespace {

using Kind = EngineOption::Kind;

// bpf/include/utrace.bpf.h has these as UTRACE_IS_SYSCALL and UTRACE_IS_ERRNO.
constexpr char kSyscallTag[] = "utrace:syscall";
constexpr char kErrnoTag[] = "utrace:errno";
constexpr int kLastErrno = 4095;

std::optional<Kind> KindOfTag(const btf* types, uint32_t variable) {
  const uint32_t count = btf__type_cnt(types);
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_decl_tag(type) || type->type != variable) continue;
    const char* tag = btf__name_by_offset(types, type->name_off);
    if (std::strcmp(tag, kSyscallTag) == 0) return Kind::kSyscall;
    if (std::strcmp(tag, kErrnoTag) == 0) return Kind::kErrno;
  }
  return std::nullopt;
}

// Sets kind and is_signed; false if it is of no type that can be given as text.
bool Describe(const btf* types, uint32_t variable, EngineOption* option) {
  const btf_type* var = btf__type_by_id(types, variable);
  const btf_type* type =
      btf__type_by_id(types, static_cast<uint32_t>(btf__resolve_type(types, var->type)));
  if (btf_is_array(type)) {
    const uint32_t element = btf_array(type)->type;
    type = btf__type_by_id(types, static_cast<uint32_t>(btf__resolve_type(types, element)));
    option->kind = Kind::kText;
    return btf_is_int(type) && type->size == 1;
  }
  if (!btf_is_int(type) && !btf_is_any_enum(type)) return false;
  if (type->size != 1 && type->size != 2 && type->size != 4 && type->size != 8) return false;
  const int encoding = btf_is_int(type) ? btf_int_encoding(type) : 0;
  option->is_signed = encoding & BTF_INT_SIGNED;
  option->kind =
      KindOfTag(types, variable).value_or(encoding & BTF_INT_BOOL ? Kind::kFlag : Kind::kNumber);
  return true;
}

absl::Status NoSuch(const EngineOption& option, absl::string_view text, absl::string_view takes) {
  return ErrnoStatus(EINVAL, absl::StrCat("set ", option.name, " to '", text, "'"),
                     absl::StrCat("it takes ", takes));
}

std::optional<int64_t> ParseErrno(absl::string_view text) {
  for (int error = 1; error <= kLastErrno; ++error) {
    if (!text.empty() && ErrnoName(error) == text) return error;
  }
  return std::nullopt;
}

// Decimal, or hexadecimal with 0x.
std::optional<int64_t> ParseNumber(absl::string_view text, bool is_signed) {
  int64_t number = 0;
  uint64_t bits = 0;
  if (absl::SimpleAtoi(text, &number) && (is_signed || number >= 0)) return number;
  if (!is_signed && absl::SimpleAtoi(text, &bits)) return static_cast<int64_t>(bits);
  if (absl::StartsWith(text, "0x") && absl::SimpleHexAtoi(text, &bits))
    return static_cast<int64_t>(bits);
  return std::nullopt;
}

int64_t ReadNumber(const EngineOption& option) {
  uint64_t bits = 0;
  std::memcpy(&bits, option.at, option.size);  // x86 is little-endian, as the BPF object is
  const unsigned unused = 64 - 8 * static_cast<unsigned>(option.size);
  return option.is_signed ? static_cast<int64_t>(bits << unused) >> unused
                          : static_cast<int64_t>(bits);
}

absl::Status WriteNumber(const EngineOption& option, int64_t number, absl::string_view text) {
  const int64_t before = ReadNumber(option);
  std::memcpy(option.at, &number, option.size);
  if (ReadNumber(option) == number) return absl::OkStatus();
  std::memcpy(option.at, &before, option.size);
  return ErrnoStatus(ERANGE, absl::StrCat("set ", option.name, " to ", text),
                     absl::StrCat("it has ", option.size, option.size == 1 ? " byte" : " bytes"));
}

}  // namespace

std::vector<EngineOption> FindOptions(const btf* types, bpf_map* constants) {
  std::vector<EngineOption> options;
  size_t size = 0;
  char* memory = static_cast<char*>(bpf_map__initial_value(constants, &size));
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  if (memory == nullptr || section < 0) return options;
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(section));
  const btf_var_secinfo* variables = btf_var_secinfos(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const btf_var_secinfo& variable = variables[i];
    const btf_type* var = btf__type_by_id(types, variable.type);
    // What is static is the program's own: the strings of its messages.
    if (btf_var(var)->linkage == BTF_VAR_STATIC) continue;
    if (size_t{variable.offset} + variable.size > size) continue;
    EngineOption option;
    option.name = btf__name_by_offset(types, var->name_off);
    option.size = variable.size;
    option.at = memory + variable.offset;
    if (Describe(types, variable.type, &option)) options.push_back(option);
  }
  return options;
}

absl::Status SetOption(const EngineOption& option, absl::string_view text) {
  std::optional<int64_t> number;
  switch (option.kind) {
    case Kind::kText:
      if (text.size() >= option.size) {
        return ErrnoStatus(ERANGE, absl::StrCat("set ", option.name, " to '", text, "'"),
                           absl::StrCat("it has room for ", option.size - 1, " bytes"));
      }
      std::memset(option.at, 0, option.size);
      std::memcpy(option.at, text.data(), text.size());
      return absl::OkStatus();
    case Kind::kFlag:
      if (text != "true" && text != "false") return NoSuch(option, text, "true or false");
      return WriteNumber(option, text == "true", text);
    case Kind::kSyscall:
      number = SyscallNumber(Abi::kX8664, text);
      break;
    case Kind::kErrno:
      number = ParseErrno(text);
      break;
    case Kind::kNumber:
      break;
  }
  if (!number.has_value()) number = ParseNumber(text, option.is_signed);
  if (!number.has_value()) {
    return NoSuch(option, text,
                  option.kind == Kind::kSyscall ? "the name of a system call, or its number"
                  : option.kind == Kind::kErrno ? "an errno, as ENOSPC, or its number"
                                                : "a number");
  }
  return WriteNumber(option, *number, text);
}

std::string OptionText(const EngineOption& option) {
  if (option.kind == Kind::kText) {
    const char* text = static_cast<const char*>(option.at);
    return std::string(text, ::strnlen(text, option.size));
  }
  const int64_t number = ReadNumber(option);
  if (option.kind == Kind::kFlag) return number ? "true" : "false";
  if (option.kind == Kind::kSyscall && number >= 0) return SyscallName(Abi::kX8664, number);
  if (option.kind == Kind::kErrno && !ErrnoName(static_cast<int>(number)).empty()) {
    return std::string(ErrnoName(static_cast<int>(number)));
  }
  return option.is_signed ? absl::StrCat(number) : absl::StrCat(static_cast<uint64_t>(number));
}

}  // namespace utrace
