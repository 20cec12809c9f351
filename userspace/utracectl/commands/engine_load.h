// SPDX-License-Identifier: Apache-2.0
// engine load, engine read, engine verify and engine unload: BPF engines.
#ifndef UTRACE_UTRACECTL_COMMANDS_ENGINE_LOAD_H_
#define UTRACE_UTRACECTL_COMMANDS_ENGINE_LOAD_H_

#include "userspace/utracectl/command.h"

namespace utrace {

Run DefineEngineLoad(CLI::App& app);
Run DefineEngineRead(CLI::App& app);
Run DefineEngineVerify(CLI::App& app);
Run DefineEngineUnload(CLI::App& app);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_COMMANDS_ENGINE_LOAD_H_
