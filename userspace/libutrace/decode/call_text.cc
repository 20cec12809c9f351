// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/call_text.h"

#include <fcntl.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "userspace/libutrace/decode/call_view.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/quote.h"
#include "userspace/libutrace/decode/struct_text.h"

namespace utrace {
namespace {

constexpr int kFirstRestartCode = 512;
constexpr int kLastRestartCode = 516;
constexpr size_t kShownElements = 32;

std::string NumberText(uint64_t value, const ArgInfo& arg) {
  if (arg.width == 32) {
    return arg.is_signed ? absl::StrCat(static_cast<int32_t>(value))
                         : absl::StrCat(static_cast<uint32_t>(value));
  }
  return arg.is_signed ? absl::StrCat(static_cast<int64_t>(value)) : absl::StrCat(value);
}

std::string HexText(uint64_t value) { return value == 0 ? "0" : absl::StrFormat("%#x", value); }

std::string ArrayText(const ArgInfo& arg, const Payload& memory) {
  const auto id = static_cast<StructId>(arg.ref);
  // Elements of one byte: not a list but a struct whose size varies.
  if (arg.size == 1) return StructText(id, memory.bytes);
  const absl::string_view bytes = memory.bytes;
  const size_t count = bytes.size() / arg.size;
  std::string out = "[";
  for (size_t i = 0; i < std::min(count, kShownElements); ++i) {
    absl::StrAppend(&out, i ? ", " : "", StructText(id, bytes.substr(i * arg.size, arg.size)));
  }
  if (memory.truncated || count > kShownElements) out += count ? ", ..." : "...";
  return out + "]";
}

std::string MemoryText(const CallView& view, const ArgInfo& arg, const Payload& memory) {
  switch (arg.kind) {
    case ArgKind::kPath:
      return Quote(memory.bytes, memory.truncated);
    case ArgKind::kString:
    case ArgKind::kBuffer:
      return QuoteUpTo(memory.bytes, view.options.string_limit, memory.truncated);
    case ArgKind::kArgv: {
      std::vector<std::string> strings;
      for (absl::string_view rest = memory.bytes; !rest.empty();) {
        const size_t end = std::min(rest.find('\0'), rest.size());
        strings.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      return ArgvText(strings, memory.truncated, view.options);
    }
    case ArgKind::kStruct:
      if (memory.bytes.size() < arg.size) return {};
      return StructText(static_cast<StructId>(arg.ref), memory.bytes);
    case ArgKind::kArray:
      return ArrayText(arg, memory);
    default:
      return {};
  }
}

std::string ResultText(const CallView& view) {
  if (!view.ret.has_value()) return "?";
  const int64_t ret = *view.ret;
  if (const int error = CallError(ret)) {
    const absl::string_view name = ErrnoName(error);
    if (name.empty()) return absl::StrCat(ret);
    // The program never sees a restart code as the call's result.
    const bool restart = error >= kFirstRestartCode && error <= kLastRestartCode;
    return absl::StrCat(restart ? "? " : "-1 ", name, " (", ErrnoMessage(error), ")");
  }
  const auto value = static_cast<uint64_t>(ret);
  switch (view.info.result) {
    case ArgKind::kAddr:
      return AddressText(value);
    case ArgKind::kHex:
      return HexText(value);
    case ArgKind::kOctal:
      return PermissionText(static_cast<uint32_t>(value));
    case ArgKind::kSignal:
      return absl::StrCat(ret, " (", SignalName(static_cast<int>(ret)), ")");
    default:
      return absl::StrCat(ret);
  }
}

bool IsFilledIn(const ArgInfo& arg) {
  return arg.direction == Direction::kOut &&
         (arg.kind == ArgKind::kString || arg.kind == ArgKind::kBuffer ||
          arg.kind == ArgKind::kStruct || arg.kind == ArgKind::kArray);
}

CallText Describe(const SyscallArgs& call, std::optional<int64_t> ret, bool pending,
                  const DecodeOptions& options) {
  CallText text;
  text.name = SyscallName(call.abi, call.nr);
  const SyscallInfo* info = FindSyscall(call.abi, call.nr);
  if (info == nullptr) {
    for (size_t i = 0; i < call.args.size(); ++i) {
      text.args.push_back({i, absl::StrCat("arg", i), call.args[i], HexText(call.args[i])});
    }
    text.known_at_entry = text.args.size();
    if (!pending) {
      static constexpr SyscallInfo kUnknown{nullptr, 0, ArgKind::kLong, CallForm::kPlain, {}};
      text.result = ResultText(CallView{call, kUnknown, options, ret});
    }
    return text;
  }
  const CallView view{call, *info, options, ret};
  text.known_at_entry = info->arg_count;
  text.args.reserve(info->arg_count);
  for (size_t i = 0; i < info->arg_count; ++i) {
    if (IsFilledIn(info->args[i])) text.known_at_entry = std::min(text.known_at_entry, i);
    text.args.push_back({i, info->args[i].name, view.Arg(i), view.Text(i)});
  }
  if (!pending) text.result = ResultText(view);
  ApplyForm(view, &text);
  text.known_at_entry = std::min(text.known_at_entry, text.args.size());
  return text;
}

}  // namespace

const Payload* CallView::Memory(size_t index) const {
  for (const Payload& payload : call.payloads) {
    if (payload.arg == static_cast<int>(index) && !payload.fault) return &payload;
  }
  return nullptr;
}

std::string CallView::Text(size_t index) const { return Text(index, info.args[index]); }

std::string CallView::Text(size_t index, ArgKind kind) const {
  ArgInfo arg = info.args[index];
  arg.kind = kind;
  return Text(index, arg);
}

std::string CallView::Text(size_t index, const ArgInfo& arg) const {
  const uint64_t raw = Arg(index);
  const uint64_t value = arg.width == 32 ? static_cast<uint32_t>(raw) : raw;
  switch (arg.kind) {
    case ArgKind::kInt:
    case ArgKind::kUint:
    case ArgKind::kLong:
    case ArgKind::kUlong:
      return NumberText(raw, arg);
    case ArgKind::kFd:
      return absl::StrCat(static_cast<int32_t>(raw));
    case ArgKind::kDirfd: {
      const auto fd = static_cast<int32_t>(raw);
      return fd == AT_FDCWD ? "AT_FDCWD" : absl::StrCat(fd);
    }
    case ArgKind::kHex:
      return HexText(value);
    case ArgKind::kOffset:
      return HexText(raw);
    case ArgKind::kMode:
    case ArgKind::kOctal:
      return PermissionText(static_cast<uint32_t>(raw));
    case ArgKind::kDev:
      return HexText(value);
    case ArgKind::kSignal:
      return SignalName(static_cast<int>(raw));
    case ArgKind::kFlags:
      return FlagsText(static_cast<SetId>(arg.ref), value);
    case ArgKind::kEnum:
      return EnumText(static_cast<SetId>(arg.ref), value);
    default:
      break;
  }
  const Payload* memory = raw == 0 ? nullptr : Memory(index);
  std::string text = memory == nullptr ? std::string() : MemoryText(*this, arg, *memory);
  return text.empty() ? AddressText(raw) : text;
}

int CallError(int64_t ret) { return ret < 0 && ret >= -kLargestErrno ? static_cast<int>(-ret) : 0; }

CallText DescribeCall(const SyscallEvent& call, const DecodeOptions& options) {
  const std::optional<int64_t> ret =
      call.no_return ? std::nullopt : std::optional<int64_t>(call.ret);
  return Describe(call, ret, false, options);
}

CallText DescribeCall(const PendingEvent& call, const DecodeOptions& options) {
  return Describe(call, std::nullopt, true, options);
}

std::string ArgvText(const std::vector<std::string>& argv, bool truncated,
                     const DecodeOptions& options) {
  std::string out = "[";
  for (size_t i = 0; i < argv.size(); ++i) {
    if (i == kShownElements) {
      truncated = true;
      break;
    }
    absl::StrAppend(&out, i ? ", " : "", QuoteUpTo(argv[i], options.string_limit, false));
  }
  if (truncated) out += argv.empty() ? "..." : ", ...";
  return out + "]";
}

}  // namespace utrace
