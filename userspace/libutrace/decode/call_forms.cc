// SPDX-License-Identifier: Apache-2.0
// Calls whose arguments mean different things by the value of another argument.
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "userspace/libutrace/decode/call_view.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/quote.h"
#include "userspace/libutrace/decode/struct_text.h"

namespace utrace {
namespace {

void KeepArgs(CallText* text, size_t count) {
  if (text->args.size() > count) text->args.resize(count);
}

void Open(const CallView& view, CallText* text) {
  const size_t flags = text->args.size() - 2;
  const bool creates = (view.Word(flags) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0;
  if (!creates) KeepArgs(text, flags + 1);
}

void Fcntl(const CallView& view, CallText* text) {
  std::string& arg = text->args[2].text;
  const bool done = view.ret.has_value() && !view.Failed();
  switch (view.Word(1)) {
    case F_GETFD:
      KeepArgs(text, 2);
      if (done && *view.ret != 0) {
        text->result =
            absl::StrFormat("%#x (flags %s)", *view.ret,
                            FlagsText(SetId::kFdFlags, static_cast<uint64_t>(*view.ret)));
      }
      break;
    case F_GETFL:
      KeepArgs(text, 2);
      if (done) {
        text->result = absl::StrFormat("%#x (flags %s)", *view.ret,
                                       FlagsText(SetId::kOpen, static_cast<uint64_t>(*view.ret)));
      }
      break;
    case F_GETOWN:
    case F_GETSIG:
    case F_GETLEASE:
    case F_GETPIPE_SZ:
    case F_GET_SEALS:
      KeepArgs(text, 2);
      break;
    case F_SETFD:
      arg = FlagsText(SetId::kFdFlags, view.Word(2));
      break;
    case F_SETFL:
      arg = FlagsText(SetId::kOpen, view.Word(2));
      break;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_SETOWN:
    case F_SETPIPE_SZ:
      arg = absl::StrCat(view.Arg(2));
      break;
    case F_SETSIG:
      arg = SignalName(static_cast<int>(view.Word(2)));
      break;
    case F_GETLK:
    case F_OFD_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      break;  // struct flock, as the table says
    default:
      arg = absl::StrFormat("%#x", view.Arg(2));
  }
}

std::string IoctlName(uint64_t request) {
  for (const SetId set :
       {SetId::kIoctl, SetId::kIoctlFs, SetId::kIoctlNet, SetId::kIoctlTty, SetId::kIoctlMisc}) {
    const absl::string_view name = EnumName(set, request);
    if (!name.empty()) return std::string(name);
  }
  return absl::StrFormat("%#x", request);
}

void Ioctl(const CallView& view, CallText* text) {
  const std::string name = IoctlName(view.Word(1));
  text->args[1].text = name;
  std::string& arg = text->args[2].text;
  const Payload* memory = view.Memory(2);
  if (memory != nullptr && (name == "TIOCGWINSZ" || name == "TIOCSWINSZ")) {
    arg = StructText(StructId::kWinsize, memory->bytes);
  } else if (memory != nullptr &&
             (name == "FIONREAD" || name == "TIOCGPGRP" || name == "TIOCSPGRP" ||
              name == "TIOCGPTN" || name == "TIOCSPTLCK" || name == "FIONBIO")) {
    arg = StructText(StructId::kInt32, memory->bytes);
  } else if (!name.starts_with("TCGETS") && !name.starts_with("TCSETS")) {
    arg = AddressText(view.Arg(2));
  }
  text->known_at_entry = text->args.size();
}

void Mremap(const CallView& view, CallText* text) {
  if ((view.Word(3) & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == 0) KeepArgs(text, 4);
}

std::string CloneFlags(uint64_t word) {
  const uint64_t flags = word & ~uint64_t{CSIGNAL};
  const int signo = static_cast<int>(word & CSIGNAL);
  if (signo == 0) return FlagsText(SetId::kClone, flags);
  if (flags == 0) return SignalName(signo);
  return absl::StrCat(FlagsText(SetId::kClone, flags), "|", SignalName(signo));
}

// The order and the names= are how strace shows this call; unlike the kernel's order they read the
// same on every architecture.
void Clone(const CallView& view, CallText* text) {
  const uint64_t flags = view.Arg(0);
  std::vector<ArgText> args;
  args.push_back({1, "child_stack", view.Arg(1), "child_stack=" + AddressText(view.Arg(1))});
  args.push_back({0, "flags", flags, "flags=" + CloneFlags(flags)});
  const auto add = [&](uint64_t needed, const char* name, size_t index) {
    if ((flags & needed) == 0) return;
    args.push_back(
        {index, name, view.Arg(index), absl::StrCat(name, "=", AddressText(view.Arg(index)))});
  };
  add(CLONE_PARENT_SETTID | CLONE_PIDFD, "parent_tid", 2);
  add(CLONE_SETTLS, "tls", 4);
  add(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, "child_tidptr", 3);
  text->args = std::move(args);
  text->known_at_entry = text->args.size();
}

void Nanosleep(const CallView& view, CallText* text) {
  // What is left of the time is written only when a signal broke the sleep.
  const size_t last = text->args.size() - 1;
  const int error = view.ret.has_value() ? CallError(*view.ret) : 0;
  if (error != EINTR && error != 516) text->args[last].text = AddressText(view.Arg(last));
}

void Futex(const CallView& view, CallText* text) {
  const uint32_t op = view.Word(1);
  const uint32_t command = op & static_cast<uint32_t>(FUTEX_CMD_MASK);
  std::string name = EnumText(SetId::kFutex, command);
  const bool is_private = (op & FUTEX_PRIVATE_FLAG) != 0;
  if (is_private) name += "_PRIVATE";
  if (op & FUTEX_CLOCK_REALTIME) name += "|FUTEX_CLOCK_REALTIME";
  text->args[1].text = name;
  if (command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET) {
    if (view.Word(5) == FUTEX_BITSET_MATCH_ANY) text->args[5].text = "FUTEX_BITSET_MATCH_ANY";
  }
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
      KeepArgs(text, 4);
      break;
    case FUTEX_WAKE:
    case FUTEX_FD:
      KeepArgs(text, 3);
      break;
    case FUTEX_UNLOCK_PI:
    case FUTEX_TRYLOCK_PI:
      KeepArgs(text, 2);
      break;
    case FUTEX_WAKE_BITSET:
      text->args = {text->args[0], text->args[1], text->args[2], text->args[5]};
      break;
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_WAKE_OP:
    case FUTEX_CMP_REQUEUE_PI:
      text->args[3].text = absl::StrCat(view.Word(3));  // a second count, not a time
      break;
    default:
      break;
  }
}

void Poll(const CallView& view, CallText* text) {
  if (!view.ret.has_value() || *view.ret < 0) return;
  if (*view.ret == 0) {
    text->result += " (Timeout)";
    return;
  }
  const Payload* memory = view.Memory(0);
  if (memory == nullptr) return;
  std::string ready;
  for (size_t at = 0; at + sizeof(pollfd) <= memory->bytes.size(); at += sizeof(pollfd)) {
    const auto entry = Load<pollfd>(memory->bytes, at);
    if (entry.revents == 0) continue;
    absl::StrAppend(&ready, ready.empty() ? "" : ", ", "{fd=", entry.fd,
                    ", revents=", FlagsText(SetId::kPoll, static_cast<uint16_t>(entry.revents)),
                    "}");
  }
  absl::StrAppend(&text->result, " ([", ready, "])");
}

// With WNOHANG and nothing to report, no status was written.
void Wait(const CallView& view, CallText* text) {
  if (view.ret == 0) text->args[1].text = AddressText(view.Arg(1));
}

void Prctl(const CallView& view, CallText* text) {
  switch (static_cast<int>(view.Word(0))) {
    case PR_GET_DUMPABLE:
    case PR_GET_KEEPCAPS:
    case PR_GET_NO_NEW_PRIVS:
    case PR_GET_SECCOMP:
    case PR_GET_TIMING:
      KeepArgs(text, 1);
      break;
    case PR_SET_PDEATHSIG:
      text->args[1].text = SignalName(static_cast<int>(view.Word(1)));
      KeepArgs(text, 2);
      break;
    case PR_SET_DUMPABLE:
    case PR_SET_KEEPCAPS:
    case PR_SET_NAME:
    case PR_GET_NAME:
    case PR_SET_CHILD_SUBREAPER:
      KeepArgs(text, 2);
      break;
    default:
      break;
  }
}

void Getdents(const CallView& view, CallText* text) {
  const Payload* memory = view.Memory(1);
  text->args[1].text = AddressText(view.Arg(1));
  if (memory == nullptr || memory->truncated) return;
  constexpr size_t kRecordLength = 16;  // struct linux_dirent64 and linux_dirent have it there
  size_t count = 0;
  for (size_t at = 0; at + kRecordLength + 2 <= memory->bytes.size(); ++count) {
    const auto length = Load<uint16_t>(memory->bytes, at + kRecordLength);
    if (length == 0) break;
    at += length;
  }
  absl::StrAppend(&text->args[1].text, " /* ", count, " entries */");
}

void Socket(const CallView& view, CallText* text) {
  constexpr uint32_t kTypeMask = 0xf;  // the kernel's SOCK_TYPE_MASK
  const uint32_t word = view.Word(1);
  std::string type = EnumText(SetId::kSockType, word & kTypeMask);
  if (word & ~kTypeMask)
    absl::StrAppend(&type, "|", FlagsText(SetId::kSockFlags, word & ~kTypeMask));
  text->args[1].text = type;
  if (view.Word(0) == AF_INET || view.Word(0) == AF_INET6) {
    text->args[2].text = EnumText(SetId::kIpproto, view.Word(2));
  }
}

// The meaning of an option's number, and of what it is set to, depends on the level.
void Sockopt(const CallView& view, CallText* text) {
  const uint32_t level = view.Word(1);
  if (level == SOL_TCP) {
    text->args[2].text = EnumText(SetId::kTcp, view.Word(2));
  } else if (level != SOL_SOCKET) {
    text->args[2].text = absl::StrCat(view.Word(2));
  }
  const Payload* memory = view.Memory(3);
  if (memory == nullptr || memory->bytes.size() != sizeof(int32_t)) return;
  const auto value = Load<int32_t>(memory->bytes, 0);
  const bool is_errno = level == SOL_SOCKET && view.Word(2) == SO_ERROR && value != 0;
  text->args[3].text =
      absl::StrCat("[", is_errno ? std::string(ErrnoName(value)) : absl::StrCat(value), "]");
}

}  // namespace

void ApplyForm(const CallView& view, CallText* text) {
  switch (view.info.form) {
    case CallForm::kPlain:
      return;
    case CallForm::kOpen:
      return Open(view, text);
    case CallForm::kFcntl:
      return Fcntl(view, text);
    case CallForm::kIoctl:
      return Ioctl(view, text);
    case CallForm::kMremap:
      return Mremap(view, text);
    case CallForm::kClone:
      return Clone(view, text);
    case CallForm::kNanosleep:
      return Nanosleep(view, text);
    case CallForm::kFutex:
      return Futex(view, text);
    case CallForm::kPoll:
      return Poll(view, text);
    case CallForm::kWait:
      return Wait(view, text);
    case CallForm::kPrctl:
      return Prctl(view, text);
    case CallForm::kGetdents:
      return Getdents(view, text);
    case CallForm::kSockopt:
      return Sockopt(view, text);
    case CallForm::kSocket:
      return Socket(view, text);
  }
}

}  // namespace utrace
