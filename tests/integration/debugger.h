// SPDX-License-Identifier: Apache-2.0
// The test as the debugger of its own child.
#ifndef TESTS_INTEGRATION_DEBUGGER_H_
#define TESTS_INTEGRATION_DEBUGGER_H_

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <csignal>

#include "gtest/gtest.h"
#include "tests/integration/harness.h"

namespace utrace::test {

class Debugger {
 public:
  // What Stop() gives after Interrupt().
  static constexpr int kInterrupted = SIGTRAP | PTRACE_EVENT_STOP << 8;

  explicit Debugger(pid_t pid) : pid_(pid) {}

  void Seize() { ASSERT_EQ(ptrace(PTRACE_SEIZE, pid_, 0, 0), 0); }
  // To a thread that is seized.
  void Interrupt() { ASSERT_EQ(ptrace(PTRACE_INTERRUPT, pid_, 0, 0), 0); }
  // Its next stop as waitpid() gives it, without the low byte; 0 if none comes.
  int Stop(int timeout_ms = 10'000) {
    int status = 0;
    const bool stopped =
        Eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, timeout_ms);
    return stopped ? status >> 8 : 0;
  }
  user_regs_struct Sees() {
    user_regs_struct regs{};
    EXPECT_EQ(ptrace(PTRACE_GETREGS, pid_, 0, &regs), 0);
    return regs;
  }
  // The si_code of what it is stopped by.
  int Code() {
    siginfo_t info{};
    EXPECT_EQ(ptrace(PTRACE_GETSIGINFO, pid_, 0, &info), 0);
    return info.si_code;
  }
  int Go(__ptrace_request how = PTRACE_CONT) { return static_cast<int>(ptrace(how, pid_, 0, 0)); }

 private:
  pid_t pid_;
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_DEBUGGER_H_
