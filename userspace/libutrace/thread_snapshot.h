// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_THREAD_SNAPSHOT_H_
#define UTRACE_LIBUTRACE_THREAD_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "include/uapi/utrace_registers.h"
#include "userspace/libutrace/process_info.h"

namespace utrace {

// A thread's user registers and the used part of its stack, as they were at one moment.
struct ThreadSnapshot {
  ThreadInfo info;
  // None if the thread could not be caught.
  std::optional<utrace_user_registers> registers;
  uint64_t stack_begin = 0;
  std::vector<std::byte> stack;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_THREAD_SNAPSHOT_H_
