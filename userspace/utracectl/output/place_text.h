// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_UTRACECTL_OUTPUT_PLACE_TEXT_H_
#define UTRACE_UTRACECTL_OUTPUT_PLACE_TEXT_H_

#include <cstdint>
#include <string>

#include "userspace/libutrace/event.h"

namespace utrace {

// Where a thread is held: "at the entry of openat". `event` is 0 for an asynchronous stop, `nr` -1
// outside of calls, `signo` 0 where it is not known.
std::string PlaceText(uint32_t event, int32_t nr, Abi abi, int signo = 0);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_PLACE_TEXT_H_
