// SPDX-License-Identifier: Apache-2.0
// The seam between us and the module: one virtual per call of include/uapi/utrace.h, nothing more.
// CharDevice is the real one; a fake stands in for it in unit tests.
#ifndef UTRACE_LIBUTRACE_DEVICE_H_
#define UTRACE_LIBUTRACE_DEVICE_H_

#include <sys/types.h>

#include "absl/types/span.h"
#include "include/uapi/utrace.h"

namespace utrace {

// A structure of the contract with its size filled in, all else zero.
template <typename T>
T Sized() {
  T value{};
  value.size = sizeof(T);
  return value;
}

// Every call gives 0 or -errno, as the kernel does: the words are its caller's, who knows the aim.
class Device {
 public:
  virtual ~Device() = default;

  virtual int Features(utrace_features& request) = 0;
  virtual int Attach(utrace_attach& request) = 0;
  virtual int SetEvents(utrace_set_events& request) = 0;
  virtual int SyscallSet(utrace_syscall_set& request) = 0;
  virtual int Control(utrace_control& request) = 0;
  virtual int Barrier(utrace_barrier& request) = 0;
  virtual int Answer(utrace_answer& request) = 0;
  virtual int Next(utrace_next& request) = 0;
  virtual int Regs(utrace_regs& request) = 0;
  virtual int Memory(utrace_memory& request) = 0;
  virtual int List(utrace_list& request) = 0;

  // Number of notices written, 0 if there are none just now, or -errno.
  virtual int Read(absl::Span<utrace_notice> notices) = 0;

  // Readable when there are notices.
  virtual int PollFd() const = 0;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_DEVICE_H_
