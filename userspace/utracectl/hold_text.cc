// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/hold_text.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/decode/syscall_table.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/libutrace/process_info.h"
#include "userspace/utracectl/output/place_text.h"

namespace utrace {

std::string ThreadText(const utrace_notice& notice) {
  const absl::StatusOr<ThreadInfo> leader = ReadThread(notice.tgid);
  return absl::StrCat(
      "tid ", notice.tid, " of ",
      leader.ok() ? ProcessName(notice.tgid, leader->comm) : absl::StrCat("process ", notice.tgid));
}

std::string HeldLine(const utrace_notice& notice) {
  const std::string who = absl::StrCat("held: ", ThreadText(notice));
  const Abi abi = notice.flags & UTRACE_NOTICE_COMPAT ? Abi::kI386 : Abi::kX8664;
  if (notice.type == UTRACE_NOTICE_STOPPED) {
    const bool inside = notice.flags & UTRACE_NOTICE_IN_SYSCALL && notice.nr >= 0;
    return absl::StrCat(
        who, " ",
        inside ? absl::StrCat("inside ", SyscallName(abi, notice.nr)) : PlaceText(0, -1, abi));
  }
  if (notice.event == UTRACE_EVENT(EXEC)) {
    const std::string program = ExecutableOf(notice.tid);
    if (!program.empty()) {
      return absl::StrCat(who, " at its exec of ", program, ", before the first instruction");
    }
  }
  const int signo = notice.event & UTRACE_EVENTS_OF_SIGNAL ? static_cast<int>(notice.result) : 0;
  return absl::StrCat(who, " ", PlaceText(notice.event, notice.nr, abi, signo));
}

std::string EngineText(const utrace_info& info) {
  return info.flags & UTRACE_INFO_BPF ? OwnerComm(info) : absl::StrCat(info.engine);
}

std::string OwnerText(const utrace_info& info) {
  if (info.flags & UTRACE_INFO_KERNEL)
    return absl::StrCat("engine ", info.engine, " of the kernel");
  if (info.flags & UTRACE_INFO_BPF) return absl::StrCat("BPF engine ", EngineText(info));
  if (info.owner == 0) return absl::StrCat("engine ", info.engine, " of another pid namespace");
  return absl::StrCat("engine ", info.engine, " of ", ProcessName(info.owner, info.owner_comm));
}

std::string HoldersOf(const std::vector<utrace_info>& infos, pid_t tid) {
  std::vector<std::string> holders;
  for (const utrace_info& info : infos) {
    if (info.tid == tid && IsHeld(info)) holders.push_back(OwnerText(info));
  }
  return absl::StrJoin(holders, " and ");
}

std::string DebuggerText(pid_t tid) {
  const absl::StatusOr<ThreadInfo> thread = ReadThread(tid);
  if (!thread.ok() || thread->tracer == 0) return "its ptracer";
  const absl::StatusOr<ThreadInfo> debugger = ReadThread(thread->tracer);
  if (!debugger.ok()) return "its ptracer";
  return ProcessName(debugger->tgid, debugger->comm);
}

std::string DoingText(pid_t tid) {
  const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
  if (!info.ok()) return "gone";
  switch (info->state) {
    case 'R':
      return "running";
    case 'S':
    case 'D': {
      const int nr = CallInProgress(tid);
      if (nr >= 0) return absl::StrCat("blocked in ", SyscallName(Abi::kX8664, nr));
      return "asleep in the kernel";
    }
    case 'T':
      return "stopped by job control";
    case 't':
      return "stopped by its ptracer";
    case 'Z':
    case 'X':
      return "ended";
    default:
      return "idle";
  }
}

std::string StateText(const ThreadView& thread) {
  for (const utrace_info& info : thread.engines) {
    if (!IsAsleep(info)) continue;
    const bool at_event = info.flags & UTRACE_INFO_HELD_REPORT;
    return absl::StrCat(
        "held ",
        PlaceText(at_event ? info.event : 0, info.nr, Abi::kX8664, static_cast<int>(info.signo)),
        info.debugger != 0 ? ", its ptracer waits" : "");
  }
  const std::string doing = DoingText(thread.info.tid);
  for (const utrace_info& info : thread.engines) {
    if (IsHeld(info)) return absl::StrCat(doing, ", to be held");
  }
  return doing;
}

}  // namespace utrace
