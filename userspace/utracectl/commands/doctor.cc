// SPDX-License-Identifier: Apache-2.0
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/bpf/engine_types.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/libutrace/bpf/privileges.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/session.h"
#include "userspace/utracectl/commands/commands.h"

namespace utrace {
namespace {

struct Finding {
  enum class State { kGood, kMissing, kNote };
  State state;
  std::string what;
  std::string remedy;  // one command; empty if nothing is to be done
};

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Finding CheckBtf() {
  if (access("/sys/kernel/btf/vmlinux", R_OK) == 0) {
    return {Finding::State::kGood, "the kernel describes its types (BTF)", ""};
  }
  if (access("/sys/kernel", F_OK) != 0) {
    return {Finding::State::kMissing, "/sys is not mounted", "mount -t sysfs sysfs /sys"};
  }
  return {Finding::State::kMissing, "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)",
          "apt install linux-image-amd64 (Debian's kernels have it), then reboot into it"};
}

Finding CheckCapabilities() {
  const absl::StatusOr<std::vector<std::string>> missing = MissingCapabilities();
  if (!missing.ok()) {
    return {Finding::State::kMissing, std::string(missing.status().message()), ""};
  }
  if (missing->empty()) return {Finding::State::kGood, "capabilities suffice for tracing", ""};
  return {Finding::State::kMissing, absl::StrCat("missing ", absl::StrJoin(*missing, ", ")),
          "sudo utracectl ..."};
}

Finding CheckLockdown() {
  // The chosen mode stands in brackets.
  if (absl::StrContains(ReadFile("/sys/kernel/security/lockdown"), "[confidentiality]")) {
    return {Finding::State::kMissing,
            "kernel lockdown is in confidentiality mode: BPF may not read memory",
            "boot with lockdown=integrity"};
  }
  return {Finding::State::kGood, "kernel lockdown does not forbid tracing", ""};
}

Finding CheckObserver() {
  // What the other checks look at one by one, done for once in earnest.
  const absl::StatusOr<std::unique_ptr<Observer>> observer = Observer::Create({});
  if (observer.ok()) {
    return {Finding::State::kGood,
            absl::StrCat("the observer loads and attaches; calls come from ",
                         (*observer)->CallsFromModule()
                             ? "the module's hooks on traced threads, others pay nothing"
                             : absl::StrCat("the raw tracepoint, since: ",
                                            (*observer)->WhyNotFromModule().message())),
            ""};
  }
  return {Finding::State::kMissing, std::string(observer.status().message()), ""};
}

Finding CheckModule() {
  const absl::Status look = Session::OpenToLook().status();
  if (ErrnoOf(look) == ENOENT) {
    return {Finding::State::kNote,
            "the utrace module is not loaded: stop, hold and resume need it; trace and record work "
            "without, but while they run each system call of every thread of this machine takes "
            "about 0.1 to 0.2 us more",
            HowToLoadModule()};
  }
  // To own engines takes more than to look: here the kernel is hooked.
  const absl::Status use = look.ok() ? Session::Open().status() : look;
  if (!use.ok()) return {Finding::State::kMissing, std::string(use.message()), ""};
  if (!ModuleHasBtf()) {
    return {Finding::State::kMissing,
            "the utrace module was built without type information (BTF): stop and hold work, "
            "trace and record cannot use it",
            "sudo apt install pahole, then build the module again and load it"};
  }
  return {Finding::State::kGood, "the utrace module is loaded and hooks the kernel", ""};
}

// Nothing to be said where there is no module.
std::optional<Finding> CheckBpfEngines() {
  if (!ModuleLoaded()) return std::nullopt;
  const absl::Status takes = CheckTakesEngines();
  if (takes.ok()) return Finding{Finding::State::kGood, "engines in BPF can be loaded", ""};
  return Finding{Finding::State::kNote,
                 absl::StrCat("engines in BPF cannot be loaded: ", takes.message()), ""};
}

Finding CheckRights() {
  const absl::StatusOr<bool> all = HasCapability(CAP_SYS_PTRACE);
  if (all.value_or(false)) {
    return {Finding::State::kGood, "every user's processes may be held", ""};
  }
  switch (YamaScope()) {
    case 0:
      return {Finding::State::kGood, "this user's own processes may be held", ""};
    case 1:
      return {Finding::State::kNote,
              "Yama lets this user hold only what it starts itself (kernel.yama.ptrace_scope=1)",
              "sudo sysctl kernel.yama.ptrace_scope=0"};
    default:
      return {Finding::State::kMissing, "Yama lets this user hold nothing",
              "sudo utracectl ... (with kernel.yama.ptrace_scope=3 nobody may, until a reboot)"};
  }
}

int Doctor() {
  utsname name{};
  uname(&name);
  std::cout << "kernel " << name.release << " on " << name.machine << "\n";
  bool good = true;
  std::vector<Finding> findings = {CheckBtf(), CheckCapabilities(), CheckLockdown()};
  const bool may_try = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.state == Finding::State::kMissing;
  });
  // It would fail by what was found already.
  if (may_try) findings.push_back(CheckObserver());
  findings.push_back(CheckModule());
  if (std::optional<Finding> engines = CheckBpfEngines()) findings.push_back(*std::move(engines));
  findings.push_back(CheckRights());
  for (const Finding& finding : findings) {
    const bool missing = finding.state == Finding::State::kMissing;
    std::cout << (missing                                  ? "MISSING  "
                  : finding.state == Finding::State::kNote ? "note     "
                                                           : "ok       ")
              << finding.what << "\n";
    if (!finding.remedy.empty()) std::cout << "         mend it: " << finding.remedy << "\n";
    if (missing) good = false;
  }
  return good ? kExitOk : kExitFailure;
}

}  // namespace

Run DefineDoctor(CLI::App&) {
  return [](const ProgramArgs&) { return Doctor(); };
}

}  // namespace utrace
