// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/char_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/machine.h"

namespace utrace {
namespace {

// The module checks the same numbers on its side: a change here is a change of the contract.
static_assert(sizeof(utrace_features) == 584);
static_assert(offsetof(utrace_features, version) == 32);
static_assert(offsetof(utrace_features, hook_names) == 64);
static_assert(sizeof(utrace_attach) == 40);
static_assert(offsetof(utrace_attach, cookie) == 16);
static_assert(offsetof(utrace_attach, engine) == 24);
static_assert(sizeof(utrace_syscall_set) == 16 + UTRACE_SYSCALL_SET_BITS / 8);
static_assert(sizeof(utrace_set_events) == 24);
static_assert(sizeof(utrace_control) == 40);
static_assert(offsetof(utrace_control, seq) == 24);
static_assert(sizeof(utrace_barrier) == 24);
static_assert(sizeof(utrace_inject) == 72);
static_assert(sizeof(utrace_notice) == 128);
static_assert(offsetof(utrace_notice, seq) == 24);
static_assert(offsetof(utrace_notice, result) == 56);
static_assert(offsetof(utrace_notice, args) == 64);
static_assert(sizeof(utrace_answer) == 96);
static_assert(offsetof(utrace_answer, result) == 32);
static_assert(sizeof(utrace_next) == 40);
static_assert(sizeof(utrace_regs) == 40);
static_assert(sizeof(utrace_memory) == 48);
static_assert(sizeof(utrace_info) == 80);
static_assert(offsetof(utrace_info, owner_comm) == 56);
static_assert(sizeof(utrace_list) == 32);

absl::Status WhyNotOpen(int error, const std::string& path) {
  const std::string attempt = absl::StrCat("open ", path);
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      if (ModuleLoaded()) {
        return ErrnoStatus(ENXIO, attempt,
                           "the utrace module is loaded, but its device is not there (in a "
                           "container or chroot?); make it: sudo mknod -m 666 /dev/utrace c 10 "
                           "$(awk '$2 == \"utrace\" {print $1}' /proc/misc)");
      }
      return ErrnoStatus(ENOENT, attempt,
                         absl::StrCat("the utrace module is not loaded, and without it no "
                                      "thread can be held; load it: ",
                                      HowToLoadModule()));
    case EACCES:
    case EPERM:
      return ErrnoStatus(error, attempt,
                         absl::StrCat("its mode keeps this user out; use sudo, or let all users "
                                      "in: sudo chmod 0666 ",
                                      path));
    case EBUSY:
      return ErrnoStatus(error, attempt,
                         FunctionTracingIsOff()
                             ? "the module cannot hook the kernel, as function tracing is "
                               "switched off: sudo sysctl kernel.ftrace_enabled=1"
                             : "the module cannot hook the kernel, as another redirects the same "
                               "functions; who: sudo dmesg | grep utrace");
    default:
      return ErrnoStatus(error, attempt);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<CharDevice>> CharDevice::Open(Access access,
                                                             const std::string& path) {
  UniqueFd fd(
      ::open(path.c_str(), (access == Access::kOwn ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK));
  if (fd) return std::unique_ptr<CharDevice>(new CharDevice(std::move(fd)));
  return WhyNotOpen(errno, path);
}

// A signal breaks only waits (for an exec of the target, for callbacks), which may begin anew.
int CharDevice::Call(unsigned long request, void* argument) {
  int result;
  do {
    result = ::ioctl(fd_.Get(), request, argument);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : 0;
}

int CharDevice::Features(utrace_features& request) { return Call(UTRACE_IOC_FEATURES, &request); }
int CharDevice::Attach(utrace_attach& request) { return Call(UTRACE_IOC_ATTACH, &request); }
int CharDevice::SetEvents(utrace_set_events& request) {
  return Call(UTRACE_IOC_SET_EVENTS, &request);
}
int CharDevice::SyscallSet(utrace_syscall_set& request) {
  return Call(UTRACE_IOC_SYSCALL_SET, &request);
}
int CharDevice::Control(utrace_control& request) { return Call(UTRACE_IOC_CONTROL, &request); }
int CharDevice::Barrier(utrace_barrier& request) { return Call(UTRACE_IOC_BARRIER, &request); }
int CharDevice::Answer(utrace_answer& request) { return Call(UTRACE_IOC_ANSWER, &request); }
int CharDevice::Regs(utrace_regs& request) { return Call(UTRACE_IOC_REGS, &request); }
int CharDevice::Memory(utrace_memory& request) { return Call(UTRACE_IOC_MEMORY, &request); }
int CharDevice::List(utrace_list& request) { return Call(UTRACE_IOC_LIST, &request); }

// Not begun anew: the caller asked for a limited wait, and knows what has come of the answer.
int CharDevice::Next(utrace_next& request) {
  return ::ioctl(fd_.Get(), UTRACE_IOC_NEXT, &request) < 0 ? -errno : 0;
}

int CharDevice::Read(absl::Span<utrace_notice> notices) {
  for (;;) {
    const ssize_t bytes = ::read(fd_.Get(), notices.data(), notices.size() * sizeof(utrace_notice));
    if (bytes >= 0) return static_cast<int>(static_cast<size_t>(bytes) / sizeof(utrace_notice));
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace utrace
