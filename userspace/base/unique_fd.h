// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_BASE_UNIQUE_FD_H_
#define UTRACE_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace utrace {

// Owns a file descriptor: it is closed exactly once.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }

  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;

  int Get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

  int Release() { return std::exchange(fd_, -1); }

  // Linux frees the descriptor whatever close() returns, so it is never tried again.
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) ::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace utrace

#endif  // UTRACE_BASE_UNIQUE_FD_H_
