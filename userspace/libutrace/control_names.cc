// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/control_names.h"

#include "include/uapi/utrace.h"

namespace utrace {

std::string EventName(uint32_t event) {
  switch (event) {
    case UTRACE_EVENT(QUIESCE):
      return "quiesce";
    case UTRACE_EVENT(REAP):
      return "reap";
    case UTRACE_EVENT(CLONE):
      return "clone";
    case UTRACE_EVENT(EXEC):
      return "exec";
    case UTRACE_EVENT(EXIT):
      return "exit";
    case UTRACE_EVENT(DEATH):
      return "death";
    case UTRACE_EVENT(SYSCALL_ENTRY):
      return "syscall-entry";
    case UTRACE_EVENT(SYSCALL_EXIT):
      return "syscall-exit";
    case UTRACE_EVENT(SIGNAL):
      return "signal";
    case UTRACE_EVENT(SIGNAL_IGN):
      return "signal-ignored";
    case UTRACE_EVENT(SIGNAL_STOP):
      return "signal-stop";
    case UTRACE_EVENT(SIGNAL_TERM):
      return "signal-term";
    case UTRACE_EVENT(SIGNAL_CORE):
      return "signal-core";
    case UTRACE_EVENT(JCTL):
      return "jctl";
    case UTRACE_EVENT(SIGNAL_HANDLER):
      return "signal-handler";
    case UTRACE_EVENT(STEP):
      return "step";
    default:
      return "?";
  }
}

std::vector<std::string> EventNames(uint32_t events) {
  std::vector<std::string> names;
  for (uint32_t bit = 0; bit < 32; ++bit) {
    if (events >> bit & 1) names.push_back(EventName(uint32_t{1} << bit));
  }
  return names;
}

}  // namespace utrace
