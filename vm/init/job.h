// SPDX-License-Identifier: Apache-2.0
// What vm/run wants of this boot: the file /job of the initramfs, NUL-terminated "key=value"
// records.
#ifndef UTRACE_VM_INIT_JOB_H_
#define UTRACE_VM_INIT_JOB_H_

#include <string>
#include <vector>

namespace utrace::vm {

struct DiskMount {
  std::string serial;
  std::string where;
};

struct Job {
  // An interactive shell on a terminal of its own instead of a command on pipes.
  bool shell = false;
  // The command writes result lines of its own to the verdict's descriptor.
  bool verdict = false;
  int rows = 24;
  int columns = 80;
  // A module that is loaded before the command; empty for none.
  std::string module;
  std::vector<DiskMount> mounts;
  std::vector<std::string> environment;
  std::vector<std::string> arguments;
};

// Ends the guest by Fail() when the file is not as vm/run writes it.
Job ReadJob(const std::string& path);

}  // namespace utrace::vm

#endif  // UTRACE_VM_INIT_JOB_H_
