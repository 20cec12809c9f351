// SPDX-License-Identifier: Apache-2.0
// The device by its bare contract: what a library above it does with errors is no part of these
// tests.
#ifndef TESTS_INTEGRATION_DEVICE_H_
#define TESTS_INTEGRATION_DEVICE_H_

#include <fcntl.h>
#include <sys/types.h>
#include <sys/user.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "uapi/utrace.h"

namespace utrace::test {

// An open session.  Calls return 0 or -errno.
class Device {
 public:
  static Device Open(int flags = O_RDWR);
  explicit Device(int fd) : fd_(fd) {}
  ~Device();
  Device(Device&& other) noexcept;
  Device& operator=(Device&& other) noexcept;

  // -errno of a failed open.
  int fd() const { return fd_; }
  void Close();
  int Release();

  // Sets the structure's size, but leaves one that was set.
  template <typename T>
  int Call(unsigned long request, T* argument) {
    if (argument->size == 0) argument->size = sizeof(T);
    return Raw(request, argument);
  }
  int Raw(unsigned long request, void* argument);

  // The usual calls.  Attach() returns the handle, or -errno.
  int64_t Attach(pid_t target, uint32_t events, uint32_t flags = 0, uint64_t cookie = 0);
  // Told of these calls alone from the first one on: the events come after the set.
  int64_t AttachForCalls(pid_t target, uint32_t events, const std::vector<int>& calls,
                         uint32_t flags = 0);
  // 0 when no callback is of the old set any more: a notice may be read before the callback that
  // gave it has returned.
  int SetEvents(uint64_t engine, pid_t tid, uint32_t events);
  int SetCalls(uint64_t engine, const std::vector<int>& calls);
  int Control(uint64_t engine, pid_t tid, uint32_t action, uint64_t* seq = nullptr,
              utrace_control* out = nullptr);
  int Foreign(uint64_t engine, pid_t tid, uint32_t action, utrace_control* out = nullptr);
  int Resume(const utrace_notice& notice);
  int Resume(uint64_t engine, pid_t tid, uint64_t seq);
  int Answer(utrace_answer answer);
  int Inject(uint64_t engine, pid_t tid, const siginfo_t& info);
  // The general registers of a thread it holds, read or (UTRACE_EXAMINE_WRITE) written.
  int Regs(uint64_t engine, pid_t tid, user_regs_struct* values, uint32_t flags = 0);
  // The next notice; type 0 if none comes in time.
  utrace_notice Next(int timeout_ms = 10'000);
  std::vector<utrace_info> List(pid_t tgid = 0);

 private:
  int fd_;
};

// Of a running thread: it will stop, or has by the time that the call returns.
bool StopAccepted(int stop_error);

// An answer to @notice, to be completed.
utrace_answer AnswerTo(const utrace_notice& notice, uint32_t action = UTRACE_RESUME);

std::string ToString(const utrace_notice& notice);

}  // namespace utrace::test

// How GoogleTest prints them.
void PrintTo(const utrace_notice& notice, std::ostream* os);

#endif  // TESTS_INTEGRATION_DEVICE_H_
