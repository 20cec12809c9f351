// SPDX-License-Identifier: Apache-2.0
// Where the lines go.
#ifndef UTRACE_UTRACECTL_OUTPUT_OUTPUT_H_
#define UTRACE_UTRACECTL_OUTPUT_OUTPUT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

// Gathers text and writes it in large pieces. The first error stays: nothing is written after it.
class Output {
 public:
  // A new or emptied file.
  static absl::StatusOr<std::unique_ptr<Output>> Create(const std::string& path);
  // Descriptor 1 or 2.
  static std::unique_ptr<Output> Standard(int fd);

  ~Output() { Flush().IgnoreError(); }

  void Append(absl::string_view text);
  absl::Status Flush();

 private:
  Output(std::string name, UniqueFd owned, int fd)
      : name_(std::move(name)), owned_(std::move(owned)), fd_(fd) {}

  std::string name_;
  UniqueFd owned_;
  int fd_;
  std::string buffer_;
  absl::Status error_;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_OUTPUT_H_
