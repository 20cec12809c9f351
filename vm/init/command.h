// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_VM_INIT_COMMAND_H_
#define UTRACE_VM_INIT_COMMAND_H_

#include <cstdint>

#include "vm/init/job.h"

namespace utrace::vm {

struct Ending {
  // As a shell gives it.
  int status = 0;
  // What went to the output port, so that the host knows when it has all of it.
  uint64_t output_bytes = 0;
};

// Runs the job's command with its output going to the port byte for byte, reaping everybody's
// orphans meanwhile. Returns when the command itself ends, whoever may still hold its pipe.
Ending RunCommand(const Job& job, int out_port, int verdict_port);

// The same for a shell on a pseudo terminal whose other side is the two ports.
Ending RunShell(const Job& job, int in_port, int out_port);

}  // namespace utrace::vm

#endif  // UTRACE_VM_INIT_COMMAND_H_
