// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/thread_target.h"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/machine.h"

namespace utrace {
namespace {

std::string UserName(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  return entry != nullptr ? entry->pw_name : absl::StrCat("uid ", uid);
}

}  // namespace

absl::StatusOr<ThreadId> ParseThreadId(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  ThreadId id;
  const bool good = parts.size() <= 2 && absl::SimpleAtoi(parts[0], &id.pid) && id.pid > 0 &&
                    (parts.size() == 1 || (absl::SimpleAtoi(parts[1], &id.tid) && id.tid > 0));
  if (good) return id;
  return ErrnoStatus(EINVAL, absl::StrCat("read '", text, "' as PID or PID/TID"),
                     "it takes one or two numbers, as in 812 or 812/815");
}

std::string ThreadIdError(const std::string& text) {
  return std::string(ParseThreadId(text).status().message());
}

absl::Status ExplainRefusal(const absl::Status& refused, absl::string_view attempt,
                            absl::string_view process, uid_t uid) {
  const uid_t self = ::geteuid();
  switch (ErrnoOf(refused)) {
    case ESRCH:
      return ErrnoStatus(ESRCH, attempt, absl::StrCat(process, " ended just now"));
    case EDQUOT:
    case ENOSPC:
      return ErrnoStatus(ErrnoOf(refused), attempt,
                         "this user has as many engines as the module allows; let go of some "
                         "(utracectl engine list)");
    case EPERM:
    case EACCES:
      break;
    default:
      return refused;
  }
  if (uid != self && self != 0) {
    return ErrnoStatus(
        EPERM, attempt,
        absl::StrCat(process, " belongs to ", UserName(uid), "; become that user, or use sudo"));
  }
  const int scope = YamaScope();
  if (scope == 1 && self != 0) {
    return ErrnoStatus(EPERM, attempt,
                       "Yama lets a process be traced by its ancestors only; use sudo, or sysctl "
                       "kernel.yama.ptrace_scope=0");
  }
  if (scope >= 2) {
    return ErrnoStatus(EPERM, attempt,
                       scope == 2
                           ? "Yama asks for CAP_SYS_PTRACE (kernel.yama.ptrace_scope=2); use sudo"
                           : "Yama forbids all tracing until reboot "
                             "(kernel.yama.ptrace_scope=3)");
  }
  if (self == 0) {
    return ErrnoStatus(EPERM, attempt,
                       absl::StrCat(process,
                                    " is guarded by a security module, or belongs to another user "
                                    "namespace where this root has no CAP_SYS_PTRACE"));
  }
  return ErrnoStatus(
      EPERM, attempt,
      absl::StrCat(process,
                   " is not dumpable (set-id, or by its own wish), or a security module "
                   "guards it; use sudo"));
}

absl::StatusOr<ThreadTarget> ThreadTarget::Open(absl::string_view verb, ThreadId id) {
  const std::string attempt = absl::StrCat(verb, " process ", id.pid);
  absl::StatusOr<ThreadInfo> leader = ReadThread(id.pid);
  if (!leader.ok()) {
    return ErrnoStatus(ESRCH, attempt, "there is no such process (it ended, or never was)");
  }
  if (leader->tgid == ::getpid()) return ErrnoStatus(EPERM, attempt, "it is this utracectl itself");
  if (leader->tgid != id.pid) {
    return ErrnoStatus(EINVAL, attempt,
                       absl::StrCat("it is a thread of process ", leader->tgid, "; name it ",
                                    leader->tgid, "/", id.pid));
  }
  ThreadTarget target(attempt, id);
  target.process_text_ = ProcessName(id.pid, leader->comm);
  if (leader->kernel_thread) {
    return ErrnoStatus(EPERM, absl::StrCat(verb, " ", target.process_text_),
                       "it is a kernel thread, which never runs user code to be held in");
  }
  if (leader->Dead() && id.tid == 0 &&
      ThreadsOf(id.pid).value_or(std::vector<pid_t>()).size() < 2) {
    return ErrnoStatus(ESRCH, absl::StrCat(verb, " ", target.process_text_),
                       absl::StrCat("it has ended and waits for its parent (", leader->ppid, ")"));
  }
  absl::StatusOr<UniqueFd> pidfd = OpenPidfd(id.pid);
  if (!pidfd.ok()) return ErrnoStatus(ErrnoOf(pidfd.status()), attempt, "it ended just now");
  target.pidfd_ = *std::move(pidfd);
  target.start_ticks_ = leader->start_ticks;
  if (id.tid != 0) {
    target.attempt_ = absl::StrCat(verb, " thread ", id.pid, "/", id.tid);
    const absl::StatusOr<ThreadInfo> thread = ReadThread(id.tid);
    if (!thread.ok() || thread->tgid != id.pid || thread->Dead()) {
      return ErrnoStatus(
          ESRCH, target.attempt_,
          absl::StrCat(target.process_text_, " has no such thread; see utracectl ps -p ", id.pid));
    }
    target.start_ticks_ = thread->start_ticks;
  }
  target.leader_ = *std::move(leader);
  return target;
}

std::string ThreadTarget::Argument() const {
  return WholeProcess() ? absl::StrCat(id_.pid) : absl::StrCat(id_.pid, "/", id_.tid);
}

absl::StatusOr<std::vector<pid_t>> ThreadTarget::Threads() const {
  if (!WholeProcess()) return std::vector<pid_t>{id_.tid};
  return ThreadsOf(id_.pid);
}

absl::StatusOr<Engine> ThreadTarget::Attach(Session& session, uint32_t events,
                                            bool children) const {
  const AttachTarget whom = !WholeProcess() ? AttachTarget::Thread(id_.tid)
                            : children      ? AttachTarget::ProcessAndChildren(pidfd_, id_.pid)
                                            : AttachTarget::Process(pidfd_, id_.pid);
  absl::StatusOr<Engine> engine = session.Attach(whom, events);
  if (!engine.ok()) return ExplainRefusal(engine.status(), attempt_, process_text_, leader_.uid);
  if (WholeProcess()) return engine;
  // A thread has a number only: what it names now must be what was checked, which has then been
  // it all the while.
  const absl::StatusOr<ThreadInfo> now = ReadThread(id_.tid);
  if (now.ok() && now->tgid == id_.pid && now->start_ticks == start_ticks_) return engine;
  engine->Detach().IgnoreError();
  return ErrnoStatus(ESRCH, attempt_, "it ended, and its number is another thread's now");
}

absl::Status ThreadTarget::EndedOr(const absl::Status& failed) const {
  const absl::StatusOr<ThreadInfo> now = ReadThread(WholeProcess() ? id_.pid : id_.tid);
  if (now.ok() && !now->Dead() && now->start_ticks == start_ticks_) return failed;
  return ErrnoStatus(ESRCH, attempt_, "it ended meanwhile");
}

}  // namespace utrace
