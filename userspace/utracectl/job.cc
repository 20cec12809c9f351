// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/job.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"

namespace utrace {

Job::Job(pid_t child) : child_(child) {
  // Fails only if it is gone already, which its wait will tell.
  ::setpgid(child, child);
  UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (terminal && ::tcgetpgrp(terminal.Get()) == ::getpgrp()) terminal_ = std::move(terminal);
}

void Job::SetForeground(pid_t group) {
  // We may be in the background just then, where asking for the terminal stops the asker.
  sigset_t ttou;
  sigset_t before;
  sigemptyset(&ttou);
  sigaddset(&ttou, SIGTTOU);
  ::sigprocmask(SIG_BLOCK, &ttou, &before);
  ::tcsetpgrp(terminal_.Get(), group);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

void Job::GiveTerminal() {
  if (terminal_) SetForeground(child_);
}

bool Job::Ended() const {
  siginfo_t info{};
  const auto id = static_cast<id_t>(child_);
  return ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child_;
}

absl::StatusOr<int> Job::Wait() {
  for (;;) {
    int status = 0;
    if (::waitpid(child_, &status, terminal_ ? WUNTRACED : 0) < 0) {
      if (errno == EINTR) continue;
      return LastErrno(absl::StrCat("wait for process ", child_));
    }
    if (!WIFSTOPPED(status)) {
      if (terminal_) SetForeground(::getpgrp());
      return status;
    }
    SetForeground(::getpgrp());
    ::raise(SIGSTOP);
    // The shell has put us in the foreground again (fg) or not (bg).
    if (::tcgetpgrp(terminal_.Get()) == ::getpgrp()) GiveTerminal();
    ::kill(-child_, SIGCONT);
  }
}

}  // namespace utrace
