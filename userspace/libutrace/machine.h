// SPDX-License-Identifier: Apache-2.0
// What this machine offers and allows, as far as can be seen without asking the module.
#ifndef UTRACE_LIBUTRACE_MACHINE_H_
#define UTRACE_LIBUTRACE_MACHINE_H_

#include <string>

namespace utrace {

bool ModuleLoaded();

// Without its type information (BTF) BPF programs cannot see the module's tracepoints.
bool ModuleHasBtf();

// The command that loads the module on this kernel, and what has to be done before.
std::string HowToLoadModule();

// kernel.yama.ptrace_scope; 0 without Yama.
int YamaScope();

// Whether pids as the kernel itself has them are ours, too.
bool InInitialPidNamespace();

// kernel.ftrace_enabled=0: nobody can hook the kernel's functions.
bool FunctionTracingIsOff();

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_MACHINE_H_
