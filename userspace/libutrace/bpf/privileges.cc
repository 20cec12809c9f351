// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/privileges.h"

#include <linux/capability.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace {
namespace {

constexpr char kKernelBtf[] = "/sys/kernel/btf/vmlinux";
constexpr char kLockdown[] = "/sys/kernel/security/lockdown";

absl::StatusOr<uint64_t> EffectiveCapabilities() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    uint64_t mask = 0;
    if (absl::ConsumePrefix(&rest, "CapEff:\t") && absl::SimpleHexAtoi(rest, &mask)) return mask;
  }
  return absl::InternalError("read /proc/self/status: it has no CapEff line; is /proc mounted?");
}

std::string OwnPath() {
  char path[4096];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof(path));
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : "utracectl";
}

}  // namespace

absl::StatusOr<std::vector<std::string>> MissingCapabilities() {
  ASSIGN_OR_RETURN(const uint64_t mask, EffectiveCapabilities());
  const auto has = [mask](int capability) { return mask >> capability & 1; };
  std::vector<std::string> missing;
  // CAP_SYS_ADMIN still stands for both.
  if (has(CAP_SYS_ADMIN)) return missing;
  if (!has(CAP_BPF)) missing.push_back("CAP_BPF");
  if (!has(CAP_PERFMON)) missing.push_back("CAP_PERFMON");
  return missing;
}

absl::StatusOr<bool> HasCapability(int capability) {
  ASSIGN_OR_RETURN(const uint64_t mask, EffectiveCapabilities());
  return (mask >> capability & 1) != 0;
}

absl::Status CheckCanObserve() {
  ASSIGN_OR_RETURN(const std::vector<std::string> missing, MissingCapabilities());
  if (!missing.empty()) {
    return ErrnoStatus(
        EPERM, absl::StrCat("load BPF programs without ", absl::StrJoin(missing, " and "),
                            " (run it with sudo, or once: sudo setcap cap_bpf,cap_perfmon+ep ",
                            OwnPath(), ")"));
  }
  if (::access(kKernelBtf, R_OK) != 0) {
    return LastErrno(absl::StrCat("read the kernel's type information ", kKernelBtf,
                                  " (it takes a kernel with CONFIG_DEBUG_INFO_BTF and a mounted "
                                  "/sys, as Debian's are)"));
  }
  std::stringstream lockdown;
  lockdown << std::ifstream(kLockdown).rdbuf();
  if (absl::StrContains(lockdown.str(), "[confidentiality]")) {
    return ErrnoStatus(EPERM,
                       "read other programs' memory by BPF: the kernel is locked down to "
                       "confidentiality (boot it with lockdown=integrity or lockdown=none)");
  }
  return absl::OkStatus();
}

}  // namespace utrace
