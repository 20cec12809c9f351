// SPDX-License-Identifier: Apache-2.0
// hide-files NAME COMMAND...: to COMMAND and all it starts, there is nothing of that name anywhere.
#include <dirent.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "examples/virtualizer.h"
#include "userspace/base/status_macros.h"

namespace utrace::examples {
namespace {

class HideFiles : public Virtualizer {
 public:
  explicit HideFiles(std::string name) : name_(std::move(name)) {}

  std::vector<int> Calls() const override {
    std::vector<int> calls = CallsWithPaths();
    calls.push_back(SYS_getdents64);
    return calls;
  }

  absl::Status Begins(HeldCall& call) override {
    for (const size_t index : PathArguments(call.Number())) {
      const std::optional<std::string> path = call.String(call.Argument(index));
      if (!path.has_value()) continue;
      const std::vector<absl::string_view> parts = absl::StrSplit(*path, '/');
      if (std::find(parts.begin(), parts.end(), name_) != parts.end()) call.Skip(-ENOENT);
    }
    return absl::OkStatus();
  }

  absl::Status Ends(HeldCall& call) override {
    if (call.Number() != SYS_getdents64 || call.Result() <= 0) return absl::OkStatus();
    std::vector<std::byte> entries(static_cast<size_t>(call.Result()));
    RETURN_IF_ERROR(call.GetMemory().ReadAll(call.Argument(1), absl::MakeSpan(entries)));
    const std::vector<std::byte> left = Left(entries);
    if (left.size() == entries.size()) return absl::OkStatus();
    // Nothing left would be the end of the directory: the next ones instead.
    if (left.empty()) {
      call.Repeat();
      return absl::OkStatus();
    }
    call.SetResult(static_cast<int64_t>(left.size()));
    return call.GetMemory().WriteAll(call.Argument(1), left);
  }

 private:
  std::vector<std::byte> Left(const std::vector<std::byte>& entries) const {
    std::vector<std::byte> left;
    for (size_t at = 0; at + offsetof(dirent64, d_name) < entries.size();) {
      uint16_t length = 0;
      std::memcpy(&length, &entries[at + offsetof(dirent64, d_reclen)], sizeof(length));
      const size_t end = std::min(at + length, entries.size());
      const auto* name = reinterpret_cast<const char*>(&entries[at + offsetof(dirent64, d_name)]);
      if (std::string_view(name, strnlen(name, end - at - offsetof(dirent64, d_name))) != name_)
        left.insert(left.end(), entries.begin() + static_cast<ptrdiff_t>(at),
                    entries.begin() + static_cast<ptrdiff_t>(end));
      if (length == 0) break;
      at = end;
    }
    return left;
  }

  const std::string name_;
};

}  // namespace
}  // namespace utrace::examples

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: hide-files NAME COMMAND [ARGUMENT...]\n");
    return 2;
  }
  utrace::examples::HideFiles hide(argv[1]);
  return utrace::examples::RunUnder(hide, {argv + 2, argv + argc});
}
