// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/program.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

absl::StatusOr<CommandUser> FindUser(const std::string& name) {
  errno = 0;
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) {
    return errno ? LastErrno(absl::StrCat("look up user ", name))
                 : absl::NotFoundError(absl::StrCat("run as ", name, ": there is no such user"));
  }
  CommandUser user{entry->pw_uid, entry->pw_gid, {}};
  int count = 64;
  user.groups.resize(static_cast<size_t>(count));
  while (getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0) {
    user.groups.resize(static_cast<size_t>(count));
  }
  user.groups.resize(static_cast<size_t>(count));
  return user;
}

// As env(1) has it: not found, or found and of no use; but what is not the program's fault is ours.
int ExecFailureStatus(const absl::Status& status) {
  switch (ErrnoOf(status)) {
    case ENOENT:
    case ENOTDIR:
      return kExitNotFound;
    case 0:
    case EPERM:  // to become another user
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return kExitOwnFailure;
    default:
      return kExitNotExecutable;
  }
}

}  // namespace

std::optional<Program> Program::Spawn(const ProgramArgs& args, const std::string& user,
                                      int* exit_status) {
  std::optional<CommandUser> as;
  if (!user.empty()) {
    absl::StatusOr<CommandUser> found = FindUser(user);
    if (!found.ok()) {
      PrintError(found.status());
      *exit_status = kExitOwnFailure;
      return std::nullopt;
    }
    as = *std::move(found);
  } else if (const char* invoker = getenv("SUDO_USER"); invoker != nullptr && geteuid() == 0) {
    PrintNote(absl::StrCat("note: ", args[0], " runs as root; -u ", invoker, " runs it as you"));
  }
  absl::StatusOr<HeldCommand> held = HeldCommand::Spawn(args, as);
  if (held.ok()) return Program(*std::move(held), args[0]);
  PrintError(held.status());
  *exit_status = ExecFailureStatus(held.status());
  return std::nullopt;
}

std::optional<int> Program::Start() {
  const absl::Status status = command_.Start();
  started_ = status.ok();
  if (status.ok()) return std::nullopt;
  PrintError(status);
  return kExitOwnFailure;
}

std::optional<int> Program::Confirm() {
  const absl::Status status = command_.Confirm();
  if (status.ok()) return std::nullopt;
  PrintError(status);
  return ExecFailureStatus(status);
}

int EndLike(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return WEXITSTATUS(wait_status);
  // The same end, but no core of ours over the program's.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const int signo = WTERMSIG(wait_status);
  signal(signo, SIG_DFL);
  sigset_t this_one;
  sigemptyset(&this_one);
  sigaddset(&this_one, signo);
  sigprocmask(SIG_UNBLOCK, &this_one, nullptr);
  raise(signo);
  return 128 + signo;
}

}  // namespace utrace
