// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/output/place_text.h"

#include "absl/strings/str_cat.h"
#include "include/uapi/utrace.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {

std::string PlaceText(uint32_t event, int32_t nr, Abi abi) {
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
    default:
      return absl::StrCat("at ", EventName(event));
  }
}

}  // namespace utrace
