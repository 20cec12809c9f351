// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_pins.h"

#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/libbpf_log.h"

namespace utrace {
namespace {

// Apart, so that all of the first are engines.
constexpr char kEngines[] = "/sys/fs/bpf/utrace";
constexpr char kBeside[] = "/sys/fs/bpf/utrace-beside";

std::string EnginePin(const std::string& name) { return absl::StrCat(kEngines, "/", name); }

absl::Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return LastErrno(absl::StrCat("make ", path, ", where pinned engines are"));
}

absl::Status Pin(const std::string& what, bpf_link* link, const std::string& pin) {
  LibbpfLog log;
  if (bpf_link__pin(link, pin.c_str()) == 0) return absl::OkStatus();
  return LastErrno(absl::StrCat("pin ", what, " at ", pin));
}

}  // namespace

bool IsEngineName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char letter) {
    return absl::ascii_isalnum(static_cast<unsigned char>(letter)) || letter == '_' ||
           letter == '-';
  });
}

bool EngineIsPinned(const std::string& name) {
  return IsEngineName(name) && ::access(EnginePin(name).c_str(), F_OK) == 0;
}

absl::Status PinEngine(const std::string& name, bpf_link* link) {
  RETURN_IF_ERROR(MakeFolder(kEngines));
  return Pin(absl::StrCat("engine ", name), link, EnginePin(name));
}

absl::Status PinBesideEngine(const std::string& name, const std::string& program, bpf_link* link) {
  const std::string folder = absl::StrCat(kBeside, "/", name);
  RETURN_IF_ERROR(MakeFolder(kBeside));
  RETURN_IF_ERROR(MakeFolder(folder));
  return Pin(absl::StrCat(program, " of engine ", name), link, absl::StrCat(folder, "/", program));
}

absl::Status RemoveEnginePins(const std::string& name) {
  // Of another loader than ours it may be called anything.
  if (!IsEngineName(name)) return absl::OkStatus();
  for (const std::string& pin : {EnginePin(name), absl::StrCat(kBeside, "/", name)}) {
    std::error_code error;
    std::filesystem::remove_all(pin, error);
    if (error) return ErrnoStatus(error.value(), absl::StrCat("remove ", pin));
  }
  return absl::OkStatus();
}

}  // namespace utrace
