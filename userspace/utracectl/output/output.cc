// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/output/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

constexpr size_t kLargeEnough = size_t{64} << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<Output>> Output::Create(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd) return LastErrno(absl::StrCat("create ", path));
  const int number = fd.Get();
  return std::unique_ptr<Output>(new Output(path, std::move(fd), number));
}

std::unique_ptr<Output> Output::Standard(int fd) {
  const char* name = fd == STDOUT_FILENO ? "standard output" : "standard error";
  return std::unique_ptr<Output>(new Output(name, UniqueFd(), fd));
}

void Output::Append(absl::string_view text) {
  buffer_.append(text.data(), text.size());
  if (buffer_.size() >= kLargeEnough) Flush().IgnoreError();  // error_ keeps it
}

absl::Status Output::Flush() {
  size_t done = 0;
  while (error_.ok() && done < buffer_.size()) {
    const ssize_t n = write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      error_ = LastErrno(absl::StrCat("write to ", name_));
    }
  }
  buffer_.clear();
  return error_;
}

}  // namespace utrace
