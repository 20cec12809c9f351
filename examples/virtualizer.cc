// SPDX-License-Identifier: Apache-2.0
#include "examples/virtualizer.h"

#include <limits.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/held_command.h"
#include "userspace/libutrace/registers.h"
#include "userspace/libutrace/session.h"

namespace utrace::examples {
namespace {

constexpr std::array<const char*, 6> kArgumentRegisters{"rdi", "rsi", "rdx", "r10", "r8", "r9"};
// The SYSCALL instruction.
constexpr uint64_t kCallLength = 2;

constexpr std::pair<int, size_t> kPaths[] = {
    {SYS_open, 0},       {SYS_stat, 0},       {SYS_lstat, 0},     {SYS_access, 0},
    {SYS_execve, 0},     {SYS_truncate, 0},   {SYS_chdir, 0},     {SYS_rename, 0},
    {SYS_rename, 1},     {SYS_mkdir, 0},      {SYS_rmdir, 0},     {SYS_creat, 0},
    {SYS_link, 0},       {SYS_link, 1},       {SYS_unlink, 0},    {SYS_symlink, 1},
    {SYS_readlink, 0},   {SYS_chmod, 0},      {SYS_chown, 0},     {SYS_lchown, 0},
    {SYS_statfs, 0},     {SYS_getxattr, 0},   {SYS_lgetxattr, 0}, {SYS_listxattr, 0},
    {SYS_llistxattr, 0}, {SYS_openat, 1},     {SYS_mkdirat, 1},   {SYS_mknodat, 1},
    {SYS_fchownat, 1},   {SYS_newfstatat, 1}, {SYS_unlinkat, 1},  {SYS_renameat, 1},
    {SYS_renameat, 3},   {SYS_linkat, 1},     {SYS_linkat, 3},    {SYS_symlinkat, 2},
    {SYS_readlinkat, 1}, {SYS_fchmodat, 1},   {SYS_faccessat, 1}, {SYS_utimensat, 1},
    {SYS_renameat2, 1},  {SYS_renameat2, 3},  {SYS_execveat, 1},  {SYS_statx, 1},
    {SYS_openat2, 1},    {SYS_faccessat2, 1},
};

// One command, and the engine on it.
class Runner {
 public:
  Runner(Virtualizer& virtualizer, Session& session)
      : virtualizer_(virtualizer), session_(session) {}

  absl::Status Attach(pid_t pid) {
    ASSIGN_OR_RETURN(const UniqueFd pidfd, OpenPidfd(pid));
    session_.Nest();
    // First which calls, then that it be told.
    ASSIGN_OR_RETURN(engine_, session_.Attach(AttachTarget::ProcessAndChildren(pidfd, pid), 0));
    RETURN_IF_ERROR(engine_->SetSyscalls(virtualizer_.Calls()));
    RETURN_IF_ERROR(engine_->SetEvents(UTRACE_EVENT_SYSCALL));
    threads_.insert(pid);
    return absl::OkStatus();
  }

  absl::Status Run() {
    while (!threads_.empty()) {
      ASSIGN_OR_RETURN(const std::vector<utrace_notice> notices,
                       session_.Next(nullptr, absl::InfiniteDuration()));
      for (const utrace_notice& notice : notices) RETURN_IF_ERROR(Handle(notice));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Handle(const utrace_notice& notice) {
    switch (notice.type) {
      case UTRACE_NOTICE_ATTACHED:
        threads_.insert(notice.tid);
        return absl::OkStatus();
      case UTRACE_NOTICE_GONE:
        threads_.erase(notice.tid);
        arguments_.erase(notice.tid);
        return absl::OkStatus();
      case UTRACE_NOTICE_HELD: {
        const absl::Status status = HandleHeld(notice);
        // Killed meanwhile, also while it was looked at, or let go by the operator.
        const int error = ErrnoOf(status);
        return error == ESRCH || error == EINVAL || error == EAGAIN ? absl::OkStatus() : status;
      }
      default:
        return absl::OkStatus();
    }
  }

  absl::Status HandleHeld(const utrace_notice& notice) {
    HeldCall call(*engine_, notice);
    if ((notice.flags & UTRACE_NOTICE_COMPAT) == 0) {
      if (notice.event == UTRACE_EVENT(SYSCALL_EXIT)) {
        RETURN_IF_ERROR(virtualizer_.Ends(call));
        RETURN_IF_ERROR(RestoreRegisters(notice, call));
      } else if ((notice.flags & UTRACE_NOTICE_DECIDED) == 0) {
        RETURN_IF_ERROR(virtualizer_.Begins(call));
        if (call.Changed()) std::copy_n(notice.args, 6, arguments_[notice.tid].begin());
      }
    }
    return engine_->Answer(call.Answer());
  }

  // As the program put them there: it is told of a new image's by nobody.
  absl::Status RestoreRegisters(const utrace_notice& notice, const HeldCall& call) {
    const auto changed = arguments_.extract(notice.tid);
    const bool new_image =
        (notice.nr == SYS_execve || notice.nr == SYS_execveat) && notice.result == 0;
    if (new_image || (changed.empty() && !call.Repeated())) return absl::OkStatus();
    ASSIGN_OR_RETURN(Registers registers, Registers::Read(*engine_, notice.tid));
    for (size_t i = 0; i < kArgumentRegisters.size() && !changed.empty(); ++i)
      RETURN_IF_ERROR(registers.Set(kArgumentRegisters[i], changed.mapped()[i]));
    if (call.Repeated()) {
      RETURN_IF_ERROR(registers.Set("rip", notice.ip - kCallLength));
      RETURN_IF_ERROR(registers.Set("rax", static_cast<uint64_t>(notice.nr)));
    }
    return registers.Write();
  }

  Virtualizer& virtualizer_;
  Session& session_;
  std::optional<Engine> engine_;
  std::set<pid_t> threads_;
  // Of calls under way that were changed.
  std::map<pid_t, std::array<uint64_t, 6>> arguments_;
};

absl::StatusOr<int> Run(Virtualizer& virtualizer, const std::vector<std::string>& command) {
  ASSIGN_OR_RETURN(HeldCommand program, HeldCommand::Spawn(command, std::nullopt));
  // The terminal's are for the program; we end after it.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGQUIT, SIG_IGN);
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Open());
  Runner runner(virtualizer, *session);
  RETURN_IF_ERROR(runner.Attach(program.Pid()));
  RETURN_IF_ERROR(program.Start());
  RETURN_IF_ERROR(runner.Run());
  RETURN_IF_ERROR(program.Confirm());
  return program.Wait();
}

}  // namespace

HeldCall::HeldCall(const Engine& engine, const utrace_notice& notice)
    : engine_(engine), notice_(notice), answer_(AnswerTo(notice)) {}

std::optional<std::string> HeldCall::String(uint64_t address) const {
  const absl::StatusOr<std::string> text = GetMemory().ReadString(address, PATH_MAX);
  if (!text.ok()) return std::nullopt;
  return *text;
}

void HeldCall::SetArgument(size_t index, uint64_t value) {
  if (!Changed()) {
    answer_.flags |= UTRACE_ANSWER_SET_CALL;
    answer_.nr = notice_.nr;
    std::copy_n(notice_.args, 6, answer_.args);
  }
  answer_.args[index] = value;
}

void HeldCall::Skip(int64_t result) {
  answer_.action |= UTRACE_SYSCALL_ABORT;
  SetResult(result);
}

void HeldCall::SetResult(int64_t result) {
  answer_.flags |= UTRACE_ANSWER_SET_RESULT;
  answer_.result = result;
}

int RunUnder(Virtualizer& virtualizer, const std::vector<std::string>& command) {
  const absl::StatusOr<int> end = Run(virtualizer, command);
  if (!end.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(end.status().message()).c_str());
    return 125;
  }
  return WIFEXITED(*end) ? WEXITSTATUS(*end) : 128 + WTERMSIG(*end);
}

std::vector<int> CallsWithPaths() {
  std::set<int> calls;
  for (const auto& [call, index] : kPaths) calls.insert(call);
  return {calls.begin(), calls.end()};
}

std::vector<size_t> PathArguments(int call) {
  std::vector<size_t> indices;
  for (const auto& [with_path, index] : kPaths) {
    if (with_path == call) indices.push_back(index);
  }
  return indices;
}

}  // namespace utrace::examples
