// SPDX-License-Identifier: Apache-2.0
// Who is held, where and by whom, in words: the same in every command.
#ifndef UTRACE_UTRACECTL_HOLD_TEXT_H_
#define UTRACE_UTRACECTL_HOLD_TEXT_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "include/uapi/utrace.h"
#include "userspace/libutrace/engine_view.h"

namespace utrace {

// "tid 815 of nginx (812)".
std::string ThreadText(const utrace_notice& notice);

// "held: tid 815 of nginx (812) at the entry of openat".
std::string HeldLine(const utrace_notice& notice);

// What an engine is called by: its id, or in BPF its name.
std::string EngineText(const utrace_info& info);

// "engine 7 of utracectl-holder (5120)".
std::string OwnerText(const utrace_info& info);

// Those of `infos` that hold the thread, in words; empty if none does.
std::string HoldersOf(const std::vector<utrace_info>& infos, pid_t tid);

// Who debugs the thread: "gdb (812)", or "its ptracer" if that is not to be learnt.
std::string DebuggerText(pid_t tid);

// "blocked in epoll_wait", "running".
std::string DoingText(pid_t tid);

// The same, or where it is held: "held at the entry of openat".
std::string StateText(const ThreadView& thread);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_HOLD_TEXT_H_
