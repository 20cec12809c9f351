// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/constants.h"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/numeric/bits.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "userspace/libutrace/decode/syscall_table_data.h"

namespace utrace {
namespace {

constexpr int kFirstRealTime = 32;  // the kernel's; the C library keeps the first two for itself
constexpr int kLastSignal = 64;
constexpr int kSignalIsKernels = 0x80;  // SI_KERNEL: from here on codes mean the same everywhere

const tables::ValueSet& SetOf(SetId set) { return tables::kSets[static_cast<size_t>(set)]; }

const tables::ErrnoInfo* FindErrno(int error) {
  const auto rows = tables::kErrnos;
  const auto* row =
      std::lower_bound(rows.begin(), rows.end(), error,
                       [](const tables::ErrnoInfo& info, int value) { return info.value < value; });
  return row != rows.end() && row->value == error ? row : nullptr;
}

// A name whose bits are all part of another name that also holds is not printed beside it
// (O_SYNC has O_DSYNC's bit).
bool IsCovered(absl::Span<const tables::NamedValue> values, uint64_t bits, uint64_t word) {
  for (const tables::NamedValue& other : values) {
    if (other.value != bits && (other.value & bits) == bits &&
        (word & other.value) == other.value) {
      return true;
    }
  }
  return false;
}

void AppendFlag(std::string* out, absl::string_view name) {
  if (!out->empty()) out->push_back('|');
  absl::StrAppend(out, name);
}

}  // namespace

std::string FlagsText(SetId set, uint64_t value) {
  const tables::ValueSet& names = SetOf(set);
  std::string out;
  uint64_t left = value;
  if (names.mask != 0) {
    const absl::string_view base = EnumName(set, value & names.mask);
    if (!base.empty()) {
      out = std::string(base);
      left &= ~names.mask;
    }
  }
  const uint64_t bits = left;
  for (const tables::NamedValue& flag : names.values) {
    const bool is_number = names.mask != 0 && (flag.value & ~names.mask) == 0;
    if (is_number || flag.value == 0 || (bits & flag.value) != flag.value) continue;
    if (IsCovered(names.values, flag.value, bits)) continue;
    AppendFlag(&out, flag.name);
    left &= ~flag.value;
  }
  if (left != 0) AppendFlag(&out, absl::StrFormat("%#x", left));
  if (!out.empty()) return out;
  const absl::string_view none = EnumName(set, 0);  // PROT_NONE
  return none.empty() ? "0" : std::string(none);
}

absl::string_view EnumName(SetId set, uint64_t value) {
  for (const tables::NamedValue& entry : SetOf(set).values) {
    if (entry.value == value) return entry.name;
  }
  return {};
}

std::string EnumText(SetId set, uint64_t value) {
  const absl::string_view name = EnumName(set, value);
  return name.empty() ? absl::StrFormat("%#x", value) : std::string(name);
}

absl::string_view ErrnoName(int error) {
  const tables::ErrnoInfo* info = FindErrno(error);
  return info == nullptr ? absl::string_view() : info->name;
}

absl::string_view ErrnoMessage(int error) {
  const tables::ErrnoInfo* info = FindErrno(error);
  return info == nullptr ? absl::string_view() : info->text;
}

int ErrnoNumber(absl::string_view name) {
  for (const tables::ErrnoInfo& info : tables::kErrnos) {
    if (info.name == name) return info.value;
  }
  return 0;
}

std::optional<uint64_t> ConstantValue(absl::string_view name) {
  for (const tables::ValueSet& set : tables::kSets) {
    for (const tables::NamedValue& entry : set.values) {
      if (entry.name == name) return entry.value;
    }
  }
  return std::nullopt;
}

std::string SignalName(int signo) {
  if (signo == kFirstRealTime) return "SIGRTMIN";
  if (signo > kFirstRealTime && signo <= kLastSignal) {
    return absl::StrCat("SIGRT_", signo - kFirstRealTime);
  }
  const absl::string_view name =
      signo > 0 ? EnumName(SetId::kSignalName, signo) : absl::string_view();
  return name.empty() ? absl::StrCat(signo) : std::string(name);
}

int SignalNumber(absl::string_view name) {
  absl::ConsumePrefix(&name, "SIG");
  for (int signo = 1; signo <= kLastSignal; ++signo) {
    if (absl::StripPrefix(SignalName(signo), "SIG") == name) return signo;
  }
  return 0;
}

std::string SignalCodeText(int signo, int code) {
  // The table holds the values as the compiler widened them.
  const uint64_t value = static_cast<uint64_t>(static_cast<int64_t>(code));
  absl::string_view name;
  if (code <= 0 || code >= kSignalIsKernels) {
    name = EnumName(SetId::kSiCode, value);
    if (name.empty()) name = EnumName(SetId::kSiCode, static_cast<uint32_t>(code));
  } else if (signo == SIGCHLD) {
    name = EnumName(SetId::kCldCode, value);
  } else if (signo == SIGSEGV) {
    name = EnumName(SetId::kSegvCode, value);
  } else if (signo == SIGBUS) {
    name = EnumName(SetId::kBusCode, value);
  } else if (signo == SIGFPE) {
    name = EnumName(SetId::kFpeCode, value);
  } else if (signo == SIGILL) {
    name = EnumName(SetId::kIllCode, value);
  } else if (signo == SIGTRAP) {
    name = EnumName(SetId::kTrapCode, value);
  } else if (signo == SIGPOLL) {
    name = EnumName(SetId::kPollCode, value);
  } else if (signo == SIGSYS) {
    name = EnumName(SetId::kSysCode, value);
  }
  return name.empty() ? absl::StrCat(code) : std::string(name);
}

bool IsFaultSignal(int signo) {
  return signo == SIGSEGV || signo == SIGBUS || signo == SIGILL || signo == SIGFPE ||
         signo == SIGTRAP;
}

std::string SignalSetText(uint64_t set) {
  // Nearly full sets read better by what they lack.
  const bool inverted = absl::popcount(set) > kLastSignal * 2 / 3;
  const uint64_t shown = inverted ? ~set : set;
  std::string out = inverted ? "~[" : "[";
  for (int signo = 1; signo <= kLastSignal; ++signo) {
    if ((shown >> (signo - 1) & 1) == 0) continue;
    if (out.back() != '[') out.push_back(' ');
    const std::string name = SignalName(signo);
    absl::StrAppend(&out, absl::StripPrefix(name, "SIG"));
  }
  out.push_back(']');
  return out;
}

std::string FileModeText(uint32_t mode) {
  const absl::string_view type = EnumName(SetId::kFileType, mode & S_IFMT);
  if (type.empty()) return PermissionText(mode);
  constexpr uint32_t kRwx = S_IRWXU | S_IRWXG | S_IRWXO;
  return absl::StrCat(type, mode & S_ISUID ? "|S_ISUID" : "", mode & S_ISGID ? "|S_ISGID" : "",
                      mode & S_ISVTX ? "|S_ISVTX" : "", "|", PermissionText(mode & kRwx));
}

std::string PermissionText(uint32_t mode) { return absl::StrFormat("%#03o", mode); }

}  // namespace utrace
