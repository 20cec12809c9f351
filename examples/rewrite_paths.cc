// SPDX-License-Identifier: Apache-2.0
// rewrite-paths FROM TO COMMAND...: to COMMAND and all it starts, what lies at TO lies at FROM.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "examples/virtualizer.h"
#include "userspace/base/status_macros.h"

namespace utrace::examples {
namespace {

// Below what the program's code may use without saying so.
constexpr uint64_t kRedZone = 128;
constexpr uint64_t kRoom = 4096;

class RewritePaths : public Virtualizer {
 public:
  RewritePaths(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  std::vector<int> Calls() const override { return CallsWithPaths(); }

  absl::Status Begins(HeldCall& call) override {
    uint64_t room = call.StackPointer() - kRedZone;
    for (const size_t index : PathArguments(call.Number())) {
      const std::optional<std::string> path = call.String(call.Argument(index));
      if (!path.has_value() || !Matches(*path)) continue;
      const std::string instead = to_ + path->substr(from_.size());
      room -= kRoom;
      RETURN_IF_ERROR(call.GetMemory().WriteAll(
          room,
          absl::MakeSpan(reinterpret_cast<const std::byte*>(instead.c_str()), instead.size() + 1)));
      call.SetArgument(index, room);
    }
    return absl::OkStatus();
  }

 private:
  bool Matches(std::string_view path) const {
    return path.substr(0, from_.size()) == from_ &&
           (path.size() == from_.size() || path[from_.size()] == '/');
  }

  const std::string from_;
  const std::string to_;
};

}  // namespace
}  // namespace utrace::examples

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: rewrite-paths FROM TO COMMAND [ARGUMENT...]\n");
    return 2;
  }
  utrace::examples::RewritePaths rewrite(argv[1], argv[2]);
  return utrace::examples::RunUnder(rewrite, {argv + 3, argv + argc});
}
