// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/brake.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

absl::Status DetachEverything(const std::string& control) {
  const std::string attempt = absl::StrCat("detach every engine by ", control);
  const UniqueFd file(::open(control.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) {
    const int error = errno;
    switch (error) {
      case ENOENT:
        return ErrnoStatus(error, attempt, "the utrace module is not loaded, so there is none");
      case EACCES:
      case EPERM:
        return ErrnoStatus(error, attempt,
                           "only root may end other users' engines: use sudo, or detach your own "
                           "by their ids");
      default:
        return ErrnoStatus(error, attempt);
    }
  }
  return ::write(file.Get(), "1\n", 2) == 2 ? absl::OkStatus() : LastErrno(attempt);
}

}  // namespace utrace
