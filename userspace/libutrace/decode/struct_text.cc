// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/struct_text.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/epoll.h>
#include <sys/poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/quote.h"

namespace utrace {
namespace {

// Offsets in the kernel's struct sigaction, which no header of the C library shows.
constexpr size_t kSigactionFlags = 8;
constexpr size_t kSigactionRestorer = 16;
constexpr size_t kSigactionMask = 24;
constexpr uint64_t kRestorerGiven = 0x04000000;  // SA_RESTORER, x86's

std::string DeviceText(uint64_t major, uint64_t minor) {
  return absl::StrFormat("makedev(%#x, %#x)", major, minor);
}

std::string StatText(absl::string_view bytes) {
  const auto s = Load<struct stat>(bytes, 0);
  const uint32_t type = s.st_mode & S_IFMT;
  std::string out = absl::StrCat("{st_mode=", FileModeText(s.st_mode), ", ");
  if (type == S_IFCHR || type == S_IFBLK) {
    // The kernel's encoding of device numbers: 12 bits of major between two parts of minor.
    const uint64_t dev = s.st_rdev;
    absl::StrAppend(&out,
                    "st_rdev=", DeviceText(dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00)));
  } else {
    absl::StrAppend(&out, "st_size=", s.st_size);
  }
  return absl::StrCat(out, ", ...}");
}

std::string StatxText(absl::string_view bytes) {
  const auto s = Load<struct statx>(bytes, 0);
  return absl::StrFormat("{stx_mask=%s, stx_attributes=%#x, stx_mode=%s, stx_size=%d, ...}",
                         FlagsText(SetId::kStatxMask, s.stx_mask), s.stx_attributes,
                         FileModeText(s.stx_mode), s.stx_size);
}

std::string StatfsText(absl::string_view bytes) {
  const auto s = Load<struct statfs>(bytes, 0);
  return absl::StrFormat("{f_type=%#x, f_bsize=%d, f_blocks=%d, f_bfree=%d, f_bavail=%d, ...}",
                         s.f_type, s.f_bsize, s.f_blocks, s.f_bfree, s.f_bavail);
}

std::string TimespecText(absl::string_view bytes, size_t at) {
  return absl::StrFormat("{tv_sec=%d, tv_nsec=%d}", Load<int64_t>(bytes, at),
                         Load<int64_t>(bytes, at + 8));
}

std::string TimevalText(absl::string_view bytes, size_t at) {
  return absl::StrFormat("{tv_sec=%d, tv_usec=%d}", Load<int64_t>(bytes, at),
                         Load<int64_t>(bytes, at + 8));
}

std::string LimitText(uint64_t limit) {
  if (limit == ~uint64_t{0}) return "RLIM64_INFINITY";
  if (limit > 1024 && limit % 1024 == 0) return absl::StrCat(limit / 1024, "*1024");
  return absl::StrCat(limit);
}

std::string SigactionText(absl::string_view bytes) {
  const auto handler = Load<uint64_t>(bytes, 0);
  const auto flags = Load<uint64_t>(bytes, kSigactionFlags);
  std::string out = "{sa_handler=";
  out += handler == 0 ? "SIG_DFL" : handler == 1 ? "SIG_IGN" : AddressText(handler);
  absl::StrAppend(&out, ", sa_mask=", SignalSetText(Load<uint64_t>(bytes, kSigactionMask)),
                  ", sa_flags=", FlagsText(SetId::kSaFlags, flags));
  if ((flags & kRestorerGiven) != 0) {
    absl::StrAppend(&out, ", sa_restorer=", AddressText(Load<uint64_t>(bytes, kSigactionRestorer)));
  }
  return out + "}";
}

std::string CloneArgsText(absl::string_view bytes) {
  const auto field = [bytes](size_t index) { return Load<uint64_t>(bytes, index * 8); };
  const uint64_t flags = field(0);
  std::string out = absl::StrCat("{flags=", FlagsText(SetId::kClone, flags));
  if (flags & CLONE_PIDFD) absl::StrAppend(&out, ", pidfd=", AddressText(field(1)));
  if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
    absl::StrAppend(&out, ", child_tid=", AddressText(field(2)));
  if (flags & CLONE_PARENT_SETTID) absl::StrAppend(&out, ", parent_tid=", AddressText(field(3)));
  absl::StrAppend(&out, ", exit_signal=", SignalName(static_cast<int>(field(4))),
                  ", stack=", AddressText(field(5)),
                  ", stack_size=", field(6) ? absl::StrFormat("%#x", field(6)) : "0");
  if (flags & CLONE_SETTLS) absl::StrAppend(&out, ", tls=", AddressText(field(7)));
  return out + "}";
}

std::string UtsnameText(absl::string_view bytes) {
  static constexpr const char* kNames[] = {"sysname", "nodename", "release",
                                           "version", "machine",  "domainname"};
  constexpr size_t kField = 65;
  std::string out = "{";
  for (size_t i = 0; i < 6; ++i) {
    absl::string_view text = bytes.substr(i * kField, kField);
    text = text.substr(0, text.find('\0'));
    absl::StrAppend(&out, i ? ", " : "", kNames[i], "=", Quote(text));
  }
  return out + "}";
}

std::string RusageText(absl::string_view bytes) {
  return absl::StrCat("{ru_utime=", TimevalText(bytes, 0), ", ru_stime=", TimevalText(bytes, 16),
                      ", ...}");
}

std::string SysinfoText(absl::string_view bytes) {
  const auto s = Load<struct sysinfo>(bytes, 0);
  return absl::StrFormat(
      "{uptime=%d, loads=[%d, %d, %d], totalram=%d, freeram=%d, procs=%d, mem_unit=%d, ...}",
      s.uptime, s.loads[0], s.loads[1], s.loads[2], s.totalram, s.freeram, s.procs, s.mem_unit);
}

std::string TermiosText(absl::string_view bytes) {
  return absl::StrFormat("{c_iflag=%#x, c_oflag=%#x, c_cflag=%#x, c_lflag=%#x, ...}",
                         Load<uint32_t>(bytes, 0), Load<uint32_t>(bytes, 4),
                         Load<uint32_t>(bytes, 8), Load<uint32_t>(bytes, 12));
}

std::string FlockText(absl::string_view bytes) {
  const auto f = Load<struct flock>(bytes, 0);
  return absl::StrFormat("{l_type=%s, l_whence=%s, l_start=%d, l_len=%d}",
                         EnumText(SetId::kFlockType, static_cast<uint64_t>(f.l_type)),
                         EnumText(SetId::kSeek, static_cast<uint64_t>(f.l_whence)), f.l_start,
                         f.l_len);
}

std::string StackText(absl::string_view bytes) {
  const auto flags = Load<uint32_t>(bytes, 8);
  return absl::StrFormat(
      "{ss_sp=%s, ss_flags=%s, ss_size=%d}", AddressText(Load<uint64_t>(bytes, 0)),
      flags ? EnumText(SetId::kSigstack, flags) : "0", Load<uint64_t>(bytes, 16));
}

std::string EpollText(absl::string_view bytes) {
  const auto e = Load<struct epoll_event>(bytes, 0);
  return absl::StrFormat("{events=%s, data={u32=%u, u64=%u}}", FlagsText(SetId::kEpoll, e.events),
                         e.data.u32, e.data.u64);
}

}  // namespace

std::string AddressText(uint64_t address) {
  return address == 0 ? "NULL" : absl::StrFormat("%#x", address);
}

std::string WaitStatusText(uint32_t status) {
  const int s = static_cast<int>(status);
  if (WIFEXITED(s))
    return absl::StrFormat("{WIFEXITED(s) && WEXITSTATUS(s) == %d}", WEXITSTATUS(s));
  if (WIFSTOPPED(s)) {
    return absl::StrFormat("{WIFSTOPPED(s) && WSTOPSIG(s) == %s}", SignalName(WSTOPSIG(s)));
  }
  if (WIFCONTINUED(s)) return "{WIFCONTINUED(s)}";
  return absl::StrFormat("{WIFSIGNALED(s) && WTERMSIG(s) == %s%s}", SignalName(WTERMSIG(s)),
                         WCOREDUMP(s) ? " && WCOREDUMP(s)" : "");
}

std::string StructText(StructId id, absl::string_view bytes) {
  switch (id) {
    case StructId::kStat:
      return StatText(bytes);
    case StructId::kStatx:
      return StatxText(bytes);
    case StructId::kStatfs:
      return StatfsText(bytes);
    case StructId::kFdPair:
      return absl::StrFormat("[%d, %d]", Load<int32_t>(bytes, 0), Load<int32_t>(bytes, 4));
    case StructId::kInt32:
      return absl::StrCat("[", Load<int32_t>(bytes, 0), "]");
    case StructId::kInt64:
      return absl::StrCat("[", Load<int64_t>(bytes, 0), "]");
    case StructId::kSigset:
      return SignalSetText(Load<uint64_t>(bytes, 0));
    case StructId::kSigaction:
      return SigactionText(bytes);
    case StructId::kStack:
      return StackText(bytes);
    case StructId::kTimespec:
      return TimespecText(bytes, 0);
    case StructId::kTimeval:
      return TimevalText(bytes, 0);
    case StructId::kTimespecPair:
      return absl::StrCat("[", TimespecText(bytes, 0), ", ", TimespecText(bytes, 16), "]");
    case StructId::kItimerspec:
      return absl::StrCat("{it_interval=", TimespecText(bytes, 0),
                          ", it_value=", TimespecText(bytes, 16), "}");
    case StructId::kItimerval:
      return absl::StrCat("{it_interval=", TimevalText(bytes, 0),
                          ", it_value=", TimevalText(bytes, 16), "}");
    case StructId::kRlimit:
      return absl::StrCat("{rlim_cur=", LimitText(Load<uint64_t>(bytes, 0)),
                          ", rlim_max=", LimitText(Load<uint64_t>(bytes, 8)), "}");
    case StructId::kRusage:
      return RusageText(bytes);
    case StructId::kUtsname:
      return UtsnameText(bytes);
    case StructId::kSysinfo:
      return SysinfoText(bytes);
    case StructId::kTermios:
      return TermiosText(bytes);
    case StructId::kWinsize:
      return absl::StrFormat("{ws_row=%d, ws_col=%d, ws_xpixel=%d, ws_ypixel=%d}",
                             Load<uint16_t>(bytes, 0), Load<uint16_t>(bytes, 2),
                             Load<uint16_t>(bytes, 4), Load<uint16_t>(bytes, 6));
    case StructId::kPollfd: {
      const auto p = Load<struct pollfd>(bytes, 0);
      return absl::StrFormat("{fd=%d, events=%s}", p.fd,
                             FlagsText(SetId::kPoll, static_cast<uint16_t>(p.events)));
    }
    case StructId::kEpollEvent:
      return EpollText(bytes);
    case StructId::kIovec: {
      const auto v = Load<struct iovec>(bytes, 0);
      return absl::StrFormat("{iov_base=%s, iov_len=%d}",
                             AddressText(reinterpret_cast<uintptr_t>(v.iov_base)), v.iov_len);
    }
    case StructId::kSockaddr:
      return SocketAddressText(bytes);
    case StructId::kCloneArgs:
      return CloneArgsText(bytes);
    case StructId::kOpenHow: {
      const auto flags = Load<uint64_t>(bytes, 0);
      const auto resolve = Load<uint64_t>(bytes, 16);
      return absl::StrCat("{flags=", FlagsText(SetId::kOpen, flags), ", mode=",
                          PermissionText(static_cast<uint32_t>(Load<uint64_t>(bytes, 8))),
                          ", resolve=", resolve ? absl::StrFormat("%#x", resolve) : "0", "}");
    }
    case StructId::kWaitStatus:
      return absl::StrCat("[", WaitStatusText(Load<uint32_t>(bytes, 0)), "]");
    case StructId::kFlock:
      return FlockText(bytes);
    case StructId::kDirents:
      return {};
  }
  return {};
}

}  // namespace utrace
