// SPDX-License-Identifier: Apache-2.0
// engine new: the beginning of a BPF engine, to be changed by its author.
#ifndef UTRACE_UTRACECTL_COMMANDS_ENGINE_NEW_H_
#define UTRACE_UTRACECTL_COMMANDS_ENGINE_NEW_H_

#include "userspace/utracectl/command.h"

namespace utrace {

Run DefineEngineNew(CLI::App& app);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_COMMANDS_ENGINE_NEW_H_
