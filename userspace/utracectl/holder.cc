// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/holder.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/unique_fd.h"
#include "userspace/utracectl/command.h"

namespace utrace {
namespace {

// Our own arguments lie where /proc/self/stat says; what is written there is what others see.
void SetCommandLine(const std::string& text) {
  constexpr int kArgStart = 48;  // of proc(5), counted from 1
  std::ifstream stat("/proc/self/stat");
  std::string all((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  const size_t name_end = all.rfind(')');
  if (name_end == std::string::npos) return;
  const char* at = all.c_str() + name_end + 1;
  for (int field = 3; field < kArgStart && at != nullptr; ++field) at = std::strchr(at + 1, ' ');
  if (at == nullptr) return;
  char* rest = nullptr;
  const auto start = std::strtoull(at, &rest, 10);
  const auto end = std::strtoull(rest, nullptr, 10);
  if (start == 0 || end <= start + 1) return;
  const size_t room = end - start;
  char* place = reinterpret_cast<char*>(start);
  std::memset(place, 0, room);
  std::memcpy(place, text.data(), std::min(text.size(), room - 1));
}

void LeaveTerminal() {
  std::fflush(nullptr);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null) ::dup2(null.Get(), fd);
  }
  // A holder must not keep a file system busy.
  if (::chdir("/") != 0) return;
}

[[noreturn]] void Hold(const std::string& arguments, UniqueFd to_starter,
                       const std::function<int(const Ready&)>& work) {
  ::setsid();
  ::prctl(PR_SET_NAME, kHolderName);
  SetCommandLine(absl::StrCat(kHolderName, " ", arguments));
  const Ready ready = [&to_starter](int status) {
    if (!to_starter) return;
    LeaveTerminal();
    const char byte = static_cast<char>(status);
    if (::write(to_starter.Get(), &byte, 1) < 0) return;  // the starter is gone: no loss to it
    to_starter.Reset();
  };
  const int status = work(ready);
  std::fflush(nullptr);
  ::_exit(status);
}

}  // namespace

void StayInForeground(int) {}

int RunAsHolder(const std::string& arguments, const std::function<int(const Ready&)>& work) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) {
    PrintError(LastErrno("make a pipe to the holder"));
    return kExitOwnFailure;
  }
  UniqueFd from_holder(fds[0]);
  UniqueFd to_starter(fds[1]);
  std::fflush(nullptr);
  const pid_t holder = ::fork();
  if (holder < 0) {
    PrintError(LastErrno("fork the holder"));
    return kExitOwnFailure;
  }
  if (holder == 0) {
    from_holder.Reset();
    Hold(arguments, std::move(to_starter), work);
  }
  to_starter.Reset();
  unsigned char ready_status = 0;
  ssize_t n;
  do {
    n = ::read(from_holder.Get(), &ready_status, 1);
  } while (n < 0 && errno == EINTR);
  if (n == 1) return ready_status;
  int status = 0;
  while (::waitpid(holder, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kExitOwnFailure;
}

}  // namespace utrace
