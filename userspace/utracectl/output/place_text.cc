// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/output/place_text.h"

#include "absl/strings/str_cat.h"
#include "include/uapi/utrace.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {

namespace {

// What comes of it if nobody says otherwise.
std::string SignalPlace(uint32_t event, int signo) {
  const std::string signal = signo == 0 ? "a signal" : SignalName(signo);
  switch (event) {
    case UTRACE_EVENT(SIGNAL):
      return absl::StrCat("at ", signal, ", before its handler runs");
    case UTRACE_EVENT(SIGNAL_IGN):
      return absl::StrCat("at ", signal, ", which is ignored");
    case UTRACE_EVENT(SIGNAL_STOP):
      return absl::StrCat("at ", signal, ", before it is stopped by it");
    case UTRACE_EVENT(SIGNAL_CORE):
      return absl::StrCat("at ", signal, ", before it dumps core");
    case UTRACE_EVENT(SIGNAL_HANDLER):
      return absl::StrCat("in the handler of ", signal, ", before its first instruction");
    default:
      return absl::StrCat("at ", signal, ", before it dies of it");
  }
}

}  // namespace

std::string PlaceText(uint32_t event, int32_t nr, Abi abi, int signo) {
  if (event & UTRACE_EVENTS_OF_SIGNAL) return SignalPlace(event, signo);
  const std::string call = nr < 0 ? "a call" : SyscallName(abi, nr);
  switch (event) {
    case 0:
      return "before its next instruction";
    case UTRACE_EVENT(SYSCALL_ENTRY):
      return absl::StrCat("at the entry of ", call);
    case UTRACE_EVENT(SYSCALL_EXIT):
      return absl::StrCat("at the end of ", call);
    case UTRACE_EVENT(EXEC):
      return "at its exec, before the first instruction";
    case UTRACE_EVENT(JCTL):
      return "in job control's stop, or where it goes on from that";
    case UTRACE_EVENT(STEP):
      return "after a step";
    default:
      return absl::StrCat("at ", EventName(event));
  }
}

}  // namespace utrace
