// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/libutrace/bpf/privileges.h"
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
  if (access("/sys/module/utrace", F_OK) != 0) {
    return {Finding::State::kNote,
            "the utrace module is not loaded: trace and record work without it, but while they "
            "run each system call of every thread of this machine takes about 0.1 to 0.2 us more",
            ""};
  }
  if (access("/sys/kernel/btf/utrace", F_OK) != 0) {
    return {Finding::State::kMissing, "the utrace module was built without BTF: BPF cannot see it",
            "apt install pahole, then build the module again"};
  }
  return {Finding::State::kGood, "the utrace module is loaded", ""};
}

int Doctor() {
  utsname name{};
  uname(&name);
  std::cout << "kernel " << name.release << " on " << name.machine << "\n";
  bool good = true;
  const Finding findings[] = {CheckBtf(), CheckCapabilities(), CheckLockdown(), CheckObserver(),
                              CheckModule()};
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
