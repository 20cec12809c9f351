// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/record_parse.h"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "include/uapi/utrace_records.h"
#include "userspace/base/status_macros.h"

namespace utrace {
namespace {

// What the kernel and its programs agreed on; x86-64 has no other layout.
static_assert(sizeof(utrace_rec_head) == 32);
static_assert(offsetof(utrace_rec_head, ts) == 8 && offsetof(utrace_rec_head, tid) == 24);
static_assert(sizeof(utrace_rec_payload) == 8);
static_assert(sizeof(utrace_rec_syscall) == 96);
static_assert(sizeof(utrace_rec_fork) == 48);
static_assert(sizeof(utrace_rec_exec) == 56);
static_assert(sizeof(utrace_rec_exit) == 40);
static_assert(sizeof(utrace_rec_signal) == 96);
static_assert(sizeof(utrace_rec_lost) == 40);
static_assert(sizeof(utrace_rec_notice) == 48);
static_assert(sizeof(utrace_copy_rule) == 8 && sizeof(utrace_copy_rules) == 32);

absl::Status Malformed(const utrace_rec_head& head, absl::string_view what) {
  return absl::DataLossError(
      absl::StrFormat("record of type %d of thread %d: %s", head.type, head.tid, what));
}

// Copied out, since a record in a file need not be aligned. What is left out of it is 0.
template <typename Body>
absl::StatusOr<Body> BodyOf(Bytes record, const utrace_rec_head& head,
                            size_t least = sizeof(Body)) {
  if (head.body < least) return Malformed(head, "its body is too short");
  Body body{};
  std::memcpy(&body, record.data(), std::min<size_t>(sizeof(body), head.body));
  return body;
}

absl::StatusOr<std::vector<Payload>> PayloadsOf(Bytes record, const utrace_rec_head& head) {
  std::vector<Payload> payloads;
  Bytes rest = record.subspan(head.body);
  for (int i = 0; i < head.payloads; ++i) {
    utrace_rec_payload raw;
    if (rest.size() < sizeof(raw)) return Malformed(head, "a payload is cut short");
    std::memcpy(&raw, rest.data(), sizeof(raw));
    rest.remove_prefix(sizeof(raw));
    const uint64_t padded = (uint64_t{raw.len} + 7) & ~uint64_t{7};
    if (padded > rest.size()) return Malformed(head, "a payload is longer than the record");
    if (raw.kind < UTRACE_COPY_STRING || raw.kind > UTRACE_COPY_STRINGS) {
      return Malformed(head, "a payload is of no known kind");
    }
    Payload& payload = payloads.emplace_back();
    payload.arg = raw.arg;
    payload.kind = static_cast<Payload::Kind>(raw.kind);
    payload.truncated = raw.flags & UTRACE_PAYLOAD_TRUNCATED;
    payload.fault = raw.flags & UTRACE_PAYLOAD_FAULT;
    payload.bytes.assign(reinterpret_cast<const char*>(rest.data()), raw.len);
    rest.remove_prefix(padded);
  }
  return payloads;
}

std::vector<std::string> SplitStrings(const std::string& bytes) {
  std::vector<std::string> strings;
  for (size_t at = 0; at < bytes.size();) {
    const size_t end = std::min(bytes.find('\0', at), bytes.size());
    strings.emplace_back(bytes, at, end - at);
    at = end + 1;
  }
  return strings;
}

absl::StatusOr<EventBody> ParseCall(Bytes record, const utrace_rec_head& head) {
  ASSIGN_OR_RETURN(const auto raw,
                   BodyOf<utrace_rec_syscall>(record, head, offsetof(utrace_rec_syscall, args)));
  SyscallArgs call;
  call.nr = raw.nr;
  call.abi = static_cast<Abi>(raw.abi);
  std::memcpy(call.args.data(), raw.args, sizeof(raw.args));
  ASSIGN_OR_RETURN(call.payloads, PayloadsOf(record, head));
  if (head.type == UTRACE_REC_PENDING) return PendingEvent{std::move(call)};
  SyscallEvent ended{std::move(call)};
  ended.ret = raw.ret;
  ended.no_return = raw.flags & UTRACE_CALL_F_NO_RETURN;
  return ended;
}

absl::StatusOr<EventBody> ParseExec(Bytes record, const utrace_rec_head& head) {
  ASSIGN_OR_RETURN(const auto raw, BodyOf<utrace_rec_exec>(record, head));
  ASSIGN_OR_RETURN(std::vector<Payload> payloads, PayloadsOf(record, head));
  ExecEvent exec;
  exec.nr = raw.nr;
  exec.abi = static_cast<Abi>(raw.abi);
  exec.old_tid = static_cast<int32_t>(raw.old_tid);
  exec.argc = raw.argc;
  exec.envc = raw.envc;
  for (Payload& payload : payloads) {
    if (payload.arg == 0) {
      exec.filename = std::move(payload.bytes);
      exec.filename_truncated = payload.truncated || payload.fault;
    } else {
      exec.argv = SplitStrings(payload.bytes);
      exec.argv_truncated = payload.truncated || payload.fault;
    }
  }
  return exec;
}

absl::StatusOr<EventBody> ParseSignal(Bytes record, const utrace_rec_head& head) {
  ASSIGN_OR_RETURN(const auto raw, BodyOf<utrace_rec_signal>(record, head));
  siginfo_t info{};
  std::memcpy(static_cast<void*>(&info), raw.info, sizeof(raw.info));
  SignalEvent signal;
  signal.signo = static_cast<int>(raw.signo);
  signal.no_info = raw.flags & UTRACE_SIGNAL_F_NO_INFO;
  signal.handled = raw.flags & UTRACE_SIGNAL_F_HANDLED;
  signal.sent = head.type == UTRACE_REC_SIGNAL_SENT;
  signal.sender_pid = static_cast<int32_t>(raw.sender_tgid);
  signal.sender_tid = static_cast<int32_t>(raw.sender_tid);
  if (signal.no_info) return signal;
  signal.code = info.si_code;
  signal.error = info.si_errno;
  // The union's members overlap; each consumer takes those that signo and code say are there.
  signal.pid = info.si_pid;
  signal.uid = info.si_uid;
  signal.status = info.si_status;
  signal.utime = static_cast<uint64_t>(info.si_utime);
  signal.stime = static_cast<uint64_t>(info.si_stime);
  signal.value = reinterpret_cast<uint64_t>(info.si_value.sival_ptr);
  signal.addr = reinterpret_cast<uint64_t>(info.si_addr);
  signal.timer_id = info.si_timerid;
  signal.overrun = info.si_overrun;
  signal.band = info.si_band;
  signal.fd = info.si_fd;
  signal.syscall = info.si_syscall;
  signal.arch = info.si_arch;
  return signal;
}

absl::StatusOr<std::optional<EventBody>> ParseBody(Bytes record, const utrace_rec_head& head) {
  switch (head.type) {
    case UTRACE_REC_SYSCALL:
    case UTRACE_REC_PENDING:
      return ParseCall(record, head);
    case UTRACE_REC_FORK: {
      ASSIGN_OR_RETURN(const auto raw, BodyOf<utrace_rec_fork>(record, head));
      ForkEvent fork;
      fork.child_pid = static_cast<int32_t>(raw.child_tgid);
      fork.child_tid = static_cast<int32_t>(raw.child_tid);
      fork.thread = raw.flags & UTRACE_FORK_F_THREAD;
      fork.followed = raw.flags & UTRACE_FORK_F_FOLLOWED;
      return fork;
    }
    case UTRACE_REC_EXEC:
      return ParseExec(record, head);
    case UTRACE_REC_EXIT: {
      ASSIGN_OR_RETURN(const auto raw, BodyOf<utrace_rec_exit>(record, head));
      return ExitEvent{raw.code, (raw.flags & UTRACE_EXIT_F_GROUP) != 0};
    }
    case UTRACE_REC_SIGNAL:
    case UTRACE_REC_SIGNAL_SENT:
      return ParseSignal(record, head);
    case UTRACE_REC_LOST: {
      ASSIGN_OR_RETURN(const auto raw, BodyOf<utrace_rec_lost>(record, head));
      return LostEvent{raw.count};
    }
    case UTRACE_REC_STOP:
    case UTRACE_REC_RESUME:
    case UTRACE_REC_DEATH:
    case UTRACE_REC_REAP:
    case UTRACE_REC_JCTL: {
      ASSIGN_OR_RETURN(const auto raw, BodyOf<utrace_rec_notice>(record, head));
      if (head.type == UTRACE_REC_STOP) {
        return StopEvent{raw.event, raw.nr, static_cast<Abi>(raw.abi)};
      }
      if (head.type == UTRACE_REC_RESUME) return ResumeEvent{raw.event};
      if (head.type == UTRACE_REC_DEATH) return DeathEvent{raw.code};
      if (head.type == UTRACE_REC_JCTL) return JobControlEvent{raw.code};
      return ReapEvent{};
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

absl::StatusOr<std::optional<Event>> ParseRecord(Bytes record) {
  utrace_rec_head head;
  if (record.size() < sizeof(head)) return absl::DataLossError("a record is shorter than its head");
  std::memcpy(&head, record.data(), sizeof(head));
  if (head.len > record.size() || head.body < sizeof(head) || head.body > head.len) {
    return Malformed(head, "its lengths do not fit together");
  }
  ASSIGN_OR_RETURN(std::optional<EventBody> body, ParseBody(record.subspan(0, head.len), head));
  if (!body) return std::nullopt;
  Event event;
  event.ts_ns = head.ts;
  event.seq = head.seq;
  event.pid = static_cast<int32_t>(head.tgid);
  event.tid = static_cast<int32_t>(head.tid);
  event.cpu = head.cpu;
  event.numbered = !(head.flags & UTRACE_REC_F_UNNUMBERED);
  event.body = *std::move(body);
  return event;
}

}  // namespace utrace
