// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_CHAR_DEVICE_H_
#define UTRACE_LIBUTRACE_CHAR_DEVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/device.h"

namespace utrace {

// The module's device. A session in the kernel lives as long as the open descriptor, and belongs
// to the process that opened it: open it in the process that is to keep it.
class CharDevice : public Device {
 public:
  enum class Access {
    kOwn,   // engines of its own
    kLook,  // features, lists, and letting go of others' engines
  };
  static absl::StatusOr<std::unique_ptr<CharDevice>> Open(Access access = Access::kOwn,
                                                          const std::string& path = UTRACE_DEVICE);

  int Features(utrace_features& request) override;
  int Attach(utrace_attach& request) override;
  int SetEvents(utrace_set_events& request) override;
  int SyscallSet(utrace_syscall_set& request) override;
  int Control(utrace_control& request) override;
  int Barrier(utrace_barrier& request) override;
  int Answer(utrace_answer& request) override;
  int Next(utrace_next& request) override;
  int Regs(utrace_regs& request) override;
  int Memory(utrace_memory& request) override;
  int List(utrace_list& request) override;
  int Read(absl::Span<utrace_notice> notices) override;
  int PollFd() const override { return fd_.Get(); }

 private:
  explicit CharDevice(UniqueFd fd) : fd_(std::move(fd)) {}

  int Call(unsigned long request, void* argument);

  UniqueFd fd_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_CHAR_DEVICE_H_
