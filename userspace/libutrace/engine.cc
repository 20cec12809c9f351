// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/engine.h"

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

std::string On(uint64_t engine, pid_t tid) {
  if (tid == kAllThreads) return absl::StrCat("all threads of engine ", engine);
  return absl::StrCat("thread ", tid, " by engine ", engine);
}

}  // namespace

utrace_control Engine::ControlRequest(uint32_t action, pid_t tid) const {
  auto request = Sized<utrace_control>();
  request.engine = id_;
  request.tid = tid;
  request.action = action;
  if (foreign_) request.flags = UTRACE_CONTROL_FOREIGN;
  return request;
}

absl::Status Engine::SetEvents(uint32_t events, pid_t tid) {
  auto request = Sized<utrace_set_events>();
  request.engine = id_;
  request.tid = tid;
  request.events = events;
  const int result = device_->SetEvents(request);
  // The change is made; a callback that began before it still runs, and its notice may come.
  if (result == -EINPROGRESS) return absl::OkStatus();
  return FromNegErrno(result, absl::StrCat("choose events of ", On(id_, tid)));
}

absl::Status Engine::SetSyscalls(absl::Span<const int> numbers) {
  auto request = Sized<utrace_syscall_set>();
  request.engine = id_;
  for (const int nr : numbers) {
    if (nr < 0 || nr >= UTRACE_SYSCALL_SET_BITS) {
      return ErrnoStatus(EINVAL, absl::StrCat("choose system call ", nr, " for engine ", id_));
    }
    request.bits[nr / 64] |= uint64_t{1} << (nr % 64);
  }
  return FromNegErrno(device_->SyscallSet(request),
                      absl::StrCat("choose system calls of engine ", id_));
}

absl::StatusOr<StopResult> Engine::Stop(pid_t tid) {
  utrace_control request = ControlRequest(UTRACE_STOP, tid);
  const int result = device_->Control(request);
  if (result != 0 && result != -EINPROGRESS) {
    return FromNegErrno(result, absl::StrCat("stop ", On(id_, tid)));
  }
  StopResult stop;
  stop.stopped = result == 0;
  stop.seq = request.seq;
  stop.affected = request.affected;
  return stop;
}

absl::StatusOr<Released> Engine::Resume(pid_t tid, uint64_t seq) {
  utrace_control request = ControlRequest(UTRACE_RESUME, tid);
  request.seq = seq;
  const absl::Status status =
      FromNegErrno(device_->Control(request), absl::StrCat("resume ", On(id_, tid)));
  if (!status.ok()) return status;
  Released released;
  released.affected = request.affected;
  released.held_by_others = request.held_by_others;
  return released;
}

absl::Status Engine::Interrupt(pid_t tid) {
  utrace_control request = ControlRequest(UTRACE_INTERRUPT, tid);
  return FromNegErrno(device_->Control(request), absl::StrCat("interrupt ", On(id_, tid)));
}

absl::StatusOr<Released> Engine::Detach(pid_t tid) {
  utrace_control request = ControlRequest(UTRACE_DETACH, tid);
  const int result = device_->Control(request);
  // In a callback just now, or dying: it is detached as soon as that is over.
  if (result != 0 && result != -EINPROGRESS && result != -EALREADY) {
    return FromNegErrno(result, absl::StrCat("detach ", On(id_, tid)));
  }
  Released released;
  released.affected = request.affected;
  released.held_by_others = request.held_by_others;
  return released;
}

absl::Status Engine::Barrier(pid_t tid) {
  auto request = Sized<utrace_barrier>();
  request.engine = id_;
  request.tid = tid;
  return FromNegErrno(device_->Barrier(request),
                      absl::StrCat("wait for callbacks on ", On(id_, tid)));
}

absl::Status Engine::Answer(const utrace_notice& notice, uint32_t action) {
  return Answer(AnswerTo(notice, action));
}

absl::Status Engine::Answer(utrace_answer answer) {
  answer.engine = id_;
  return FromNegErrno(device_->Answer(answer),
                      absl::StrCat("answer ", answer.seq, " of ", On(id_, answer.tid)));
}

utrace_answer AnswerTo(const utrace_notice& notice, uint32_t action) {
  auto answer = Sized<utrace_answer>();
  answer.engine = notice.engine;
  answer.seq = notice.seq;
  answer.tid = notice.tid;
  answer.action = action;
  return answer;
}

}  // namespace utrace
