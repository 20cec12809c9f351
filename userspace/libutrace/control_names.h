// SPDX-License-Identifier: Apache-2.0
// The contract's words for people.
#ifndef UTRACE_LIBUTRACE_CONTROL_NAMES_H_
#define UTRACE_LIBUTRACE_CONTROL_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace utrace {

// "syscall-entry"; "?" for what this version does not know.
std::string EventName(uint32_t event);

// Of all bits in a mask, in the contract's order.
std::vector<std::string> EventNames(uint32_t events);

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_CONTROL_NAMES_H_
