// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/held_command.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace {
namespace {

constexpr int kNotReleased = 125;

// 0 if the file could be executed, else the errno.
int ExecutableError(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EACCES;
  return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

absl::StatusOr<std::string> FindExecutable(const std::string& name) {
  const std::string attempt = absl::StrCat("run ", name);
  if (name.empty()) return ErrnoStatus(ENOENT, attempt);
  if (name.find('/') != std::string::npos) {
    if (const int error = ExecutableError(name)) return ErrnoStatus(error, attempt);
    return name;
  }
  const char* path = std::getenv("PATH");
  int found_error = ENOENT;
  for (const absl::string_view dir : absl::StrSplit(path ? path : "/usr/bin:/bin", ':')) {
    const std::string candidate = absl::StrCat(dir.empty() ? "." : dir, "/", name);
    const int error = ExecutableError(candidate);
    if (error == 0) return candidate;
    // The shell's rule: one that may not be executed is remembered, one that is missing is not.
    if (error == EACCES) found_error = EACCES;
  }
  return ErrnoStatus(found_error, attempt);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return LastErrno("make a pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

bool BecomeUser(const CommandUser& user) {
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 && ::setgid(user.gid) == 0 &&
         ::setuid(user.uid) == 0;
}

// What the child says if it cannot exec.
struct Failure {
  int error;
  bool as_user;  // it could not become the user
};

// In the child: only what is safe after fork.
[[noreturn]] void HoldThenExec(int gate, int failure, const char* path, char* const* argv,
                               const CommandUser* user) {
  Failure said{};
  if (user && !BecomeUser(*user)) said = {errno, true};
  char byte;
  ssize_t n;
  do {
    n = ::read(gate, &byte, 1);
  } while (n < 0 && errno == EINTR);
  if (n != 1) ::_exit(kNotReleased);
  if (!said.as_user) {
    ::execve(path, argv, environ);
    said = {errno, false};
  }
  n = ::write(failure, &said, sizeof(said));
  ::_exit(kNotReleased);
}

}  // namespace

absl::StatusOr<HeldCommand> HeldCommand::Spawn(const std::vector<std::string>& argv,
                                               const std::optional<CommandUser>& user) {
  if (argv.empty()) return absl::InvalidArgumentError("run a command: none was given");
  ASSIGN_OR_RETURN(std::string path, FindExecutable(argv[0]));
  ASSIGN_OR_RETURN(Pipe gate, MakePipe());
  ASSIGN_OR_RETURN(Pipe failure, MakePipe());
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  const pid_t pid = ::fork();
  if (pid < 0) return LastErrno("fork");
  if (pid == 0) {
    // Else the child itself would keep its gate from ever ending.
    gate.write_end.Reset();
    HoldThenExec(gate.read_end.Get(), failure.write_end.Get(), path.c_str(), arguments.data(),
                 user ? &*user : nullptr);
  }
  return HeldCommand(pid, std::move(path), std::move(gate.write_end), std::move(failure.read_end));
}

absl::Status HeldCommand::Release() {
  RETURN_IF_ERROR(Start());
  return Confirm();
}

absl::Status HeldCommand::Start() {
  const char byte = 0;
  // The child may be gone: a broken pipe must be an error here, not our end.
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  const ssize_t released = ::write(gate_.Get(), &byte, 1);
  const int write_error = errno;
  ::sigaction(SIGPIPE, &before, nullptr);
  gate_.Reset();
  if (released != 1) return ErrnoStatus(write_error, absl::StrCat("release ", path_));
  return absl::OkStatus();
}

absl::Status HeldCommand::Confirm() {
  Failure said{};
  ssize_t n;
  do {
    n = ::read(failure_.Get(), &said, sizeof(said));
  } while (n < 0 && errno == EINTR);
  failure_.Reset();
  if (n != sizeof(said)) return absl::OkStatus();
  ASSIGN_OR_RETURN([[maybe_unused]] const int status, Wait());
  return ErrnoStatus(said.error, said.as_user
                                     ? absl::StrCat("become the user to run ", path_, " as")
                                     : absl::StrCat("run ", path_));
}

void HeldCommand::Reap() {
  int status = 0;
  if (!ended_as_ && ::waitpid(pid_, &status, WNOHANG) == pid_) ended_as_ = status;
}

absl::StatusOr<int> HeldCommand::Wait() {
  if (ended_as_) return *ended_as_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return LastErrno(absl::StrCat("wait for process ", pid_));
  }
  ended_as_ = status;
  return status;
}

}  // namespace utrace
