// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_field.h"

#include <bpf/btf.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {
namespace {

using Kind = EngineField::Kind;

// bpf/include/utrace.bpf.h has these, as UTRACE_IS_SYSCALL and the like.
constexpr struct {
  const char* tag;
  Kind kind;
} kTags[] = {
    {"utrace:syscall", Kind::kSyscall}, {"utrace:errno", Kind::kErrno},
    {"utrace:signal", Kind::kSignal},   {"utrace:hex", Kind::kHex},
    {"utrace:held", Kind::kHeld},
};
constexpr int kLastSignal = 64;

// What is tagged: a variable (component -1), or one of a structure's members.
std::optional<Kind> KindOfTag(const btf* types, uint32_t tagged, int component) {
  const uint32_t count = btf__type_cnt(types);
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_decl_tag(type) || type->type != tagged ||
        btf_decl_tag(type)->component_idx != component) {
      continue;
    }
    const char* name = btf__name_by_offset(types, type->name_off);
    for (const auto& tag : kTags) {
      if (std::strcmp(name, tag.tag) == 0) return tag.kind;
    }
  }
  return std::nullopt;
}

const btf_type* Resolved(const btf* types, uint32_t id) {
  const int resolved = btf__resolve_type(types, id);
  return resolved < 0 ? nullptr : btf__type_by_id(types, static_cast<uint32_t>(resolved));
}

// Of something declared with type `id`.
std::optional<EngineField> Describe(const btf* types, const char* name, uint32_t id,
                                    std::optional<Kind> tagged) {
  EngineField field;
  field.name = name;
  const btf_type* type = Resolved(types, id);
  if (type == nullptr) return std::nullopt;
  if (btf_is_array(type)) {
    const btf_type* element = Resolved(types, btf_array(type)->type);
    field.kind = Kind::kText;
    field.size = btf_array(type)->nelems;
    if (element == nullptr || !btf_is_int(element) || element->size != 1) return std::nullopt;
    return field;
  }
  if (!btf_is_int(type) && !btf_is_any_enum(type)) return std::nullopt;
  field.size = type->size;
  if (field.size != 1 && field.size != 2 && field.size != 4 && field.size != 8) return std::nullopt;
  if (btf_is_enum(type)) {
    const struct btf_enum* values = ::btf_enum(type);
    for (int i = 0; i < btf_vlen(type); ++i) {
      field.names.emplace_back(btf__name_by_offset(types, values[i].name_off), values[i].val);
    }
    field.kind = tagged.value_or(Kind::kEnum);
    field.is_signed = btf_kflag(type);
    return field;
  }
  const int encoding = btf_is_int(type) ? btf_int_encoding(type) : 0;
  field.is_signed = encoding & BTF_INT_SIGNED;
  field.kind = tagged.value_or(encoding & BTF_INT_BOOL ? Kind::kFlag : Kind::kNumber);
  return field;
}

absl::Status NoSuch(const EngineField& field, absl::string_view text, absl::string_view takes) {
  return ErrnoStatus(EINVAL, absl::StrCat("set ", field.name, " to '", text, "'"),
                     absl::StrCat("it takes ", takes));
}

std::string WhatItTakes(const EngineField& field) {
  switch (field.kind) {
    case Kind::kSyscall:
      return "the name of a system call, or its number";
    case Kind::kErrno:
      return "an errno, as ENOSPC, or its number";
    case Kind::kSignal:
      return "a signal, as SIGSEGV, or its number";
    case Kind::kEnum:
      return absl::StrCat("one of ",
                          absl::StrJoin(field.names, ", ", [](std::string* out, const auto& value) {
                            out->append(value.first);
                          }));
    default:
      return "a number";
  }
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

int64_t ReadNumber(const EngineField& field, const char* at) {
  uint64_t bits = 0;
  std::memcpy(&bits, at, field.size);  // x86 is little-endian, as the BPF object is
  const unsigned unused = 64 - 8 * static_cast<unsigned>(field.size);
  return field.is_signed ? static_cast<int64_t>(bits << unused) >> unused
                         : static_cast<int64_t>(bits);
}

absl::Status WriteNumber(const EngineField& field, int64_t number, absl::string_view text,
                         char* at) {
  const int64_t before = ReadNumber(field, at);
  std::memcpy(at, &number, field.size);
  if (ReadNumber(field, at) == number) return absl::OkStatus();
  std::memcpy(at, &before, field.size);
  return ErrnoStatus(ERANGE, absl::StrCat("set ", field.name, " to ", text),
                     absl::StrCat("it has ", field.size, field.size == 1 ? " byte" : " bytes"));
}

}  // namespace

std::optional<EngineField> DescribeVariable(const btf* types, uint32_t variable) {
  const btf_type* var = btf__type_by_id(types, variable);
  return Describe(types, btf__name_by_offset(types, var->name_off), var->type,
                  KindOfTag(types, variable, -1));
}

std::vector<EngineField> DescribeMembers(const btf* types, uint32_t structure) {
  std::vector<EngineField> fields;
  const btf_type* type = btf__type_by_id(types, structure);
  const btf_member* members = btf_members(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const uint32_t bits = btf_member_bit_offset(type, static_cast<uint32_t>(i));
    if (bits % 8 != 0 || btf_member_bitfield_size(type, static_cast<uint32_t>(i)) != 0) continue;
    std::optional<EngineField> field =
        Describe(types, btf__name_by_offset(types, members[i].name_off), members[i].type,
                 KindOfTag(types, structure, i));
    if (!field.has_value()) continue;
    field->offset = bits / 8;
    fields.push_back(*std::move(field));
  }
  return fields;
}

absl::Status SetField(const EngineField& field, absl::string_view text, char* bytes) {
  char* at = bytes + field.offset;
  std::optional<int64_t> number;
  switch (field.kind) {
    case Kind::kText:
      if (text.size() >= field.size) {
        return ErrnoStatus(ERANGE, absl::StrCat("set ", field.name, " to '", text, "'"),
                           absl::StrCat("it has room for ", field.size - 1, " bytes"));
      }
      std::memset(at, 0, field.size);
      std::memcpy(at, text.data(), text.size());
      return absl::OkStatus();
    case Kind::kFlag:
      if (text != "true" && text != "false") return NoSuch(field, text, "true or false");
      return WriteNumber(field, text == "true", text, at);
    case Kind::kSyscall:
      number = SyscallNumber(Abi::kX8664, text);
      break;
    case Kind::kErrno:
      if (const int error = ErrnoNumber(text); error > 0) number = error;
      break;
    case Kind::kSignal:
      if (const int signo = SignalNumber(text); signo > 0) number = signo;
      break;
    case Kind::kEnum:
      for (const auto& [name, value] : field.names) {
        if (name == text) number = value;
      }
      break;
    case Kind::kNumber:
    case Kind::kHex:
    case Kind::kHeld:
      break;
  }
  if (!number.has_value()) number = ParseNumber(text, field.is_signed);
  if (!number.has_value()) {
    return NoSuch(field, text, WhatItTakes(field));
  }
  return WriteNumber(field, *number, text, at);
}

int64_t FieldNumber(const EngineField& field, const char* bytes) {
  return ReadNumber(field, bytes + field.offset);
}

std::string FieldText(const EngineField& field, const char* bytes) {
  const char* at = bytes + field.offset;
  if (field.kind == Kind::kText) return std::string(at, ::strnlen(at, field.size));
  const int64_t number = ReadNumber(field, at);
  absl::string_view name;
  switch (field.kind) {
    case Kind::kFlag:
      return number ? "true" : "false";
    case Kind::kHex:
      return absl::StrCat("0x", absl::Hex(static_cast<uint64_t>(number)));
    case Kind::kSyscall:
      if (number >= 0) return SyscallName(Abi::kX8664, number);
      break;
    case Kind::kEnum:
      for (const auto& [value_name, value] : field.names) {
        if (value == number) return value_name;
      }
      break;
    case Kind::kErrno:
      name = ErrnoName(static_cast<int>(number));
      break;
    case Kind::kSignal:
      if (number > 0 && number <= kLastSignal)
        return std::string(SignalName(static_cast<int>(number)));
      break;
    default:
      break;
  }
  if (!name.empty()) return std::string(name);
  return field.is_signed ? absl::StrCat(number) : absl::StrCat(static_cast<uint64_t>(number));
}

}  // namespace utrace
