// SPDX-License-Identifier: Apache-2.0
#include "bench/control/listener.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/base/unique_fd.h"

namespace utrace::bench {
namespace {

constexpr char kName[] = "utrace_event_count";

// Beside the folder of this program, as the guest has it.
std::string ModulePath() {
  char path[PATH_MAX] = "";
  if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0) return "";
  std::string folder(path);
  for (int up = 0; up < 2; ++up) folder.resize(folder.rfind('/'));
  return absl::StrCat(folder, "/", kName, ".ko");
}

absl::Status Set(const std::string& parameter, uint64_t value) {
  const std::string path = absl::StrCat("/sys/module/", kName, "/parameters/", parameter);
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = absl::StrCat(value);
  if (!fd || write(fd.Get(), text.data(), text.size()) < 0)
    return LastErrno(absl::StrCat("write ", text, " to ", path));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Load() {
  const std::string path = ModulePath();
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || (syscall(SYS_finit_module, fd.Get(), "", 0) != 0 && errno != EEXIST))
    return LastErrno(absl::StrCat("load ", path));
  return std::unique_ptr<Listener>(new Listener);
}

Listener::~Listener() {
  if (Leave().ok()) syscall(SYS_delete_module, kName, O_NONBLOCK);
}

absl::Status Listener::Hear(pid_t tid, uint32_t events, bool steps) {
  RETURN_IF_ERROR(Set("events", events));
  RETURN_IF_ERROR(Set("steps", steps));
  return Set("thread", static_cast<uint64_t>(tid));
}

absl::Status Listener::Leave() { return Set("thread", 0); }

absl::StatusOr<uint64_t> Listener::Count(uint32_t event_bit) const {
  std::ifstream file(absl::StrCat("/sys/module/", kName, "/parameters/counts"));
  uint64_t bit = 0;
  uint64_t count = 0;
  while (file >> bit >> count) {
    if (bit == event_bit) return count;
  }
  return absl::InternalError(absl::StrCat(kName, " does not count events of number ", event_bit));
}

}  // namespace utrace::bench
