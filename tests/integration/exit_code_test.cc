// SPDX-License-Identifier: Apache-2.0
// The exit code, changed where the thread is about to exit.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/signal_stop.h"

namespace utrace::test {
namespace {

constexpr int kFive = 5 << 8;

class ExitCode : public SignalStop {
 protected:
  // About to exit by a signal.  Nobody waits for a thread whose group was ended as it was sent.
  utrace_notice Exiting(int signo) {
    Arm(UTRACE_EVENT(SIGNAL_TERM) | UTRACE_EVENT(EXIT));
    Send(signo);
    EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SIGNAL_TERM), signo)), 0);
    return Held(UTRACE_EVENT(EXIT), signo);
  }
  int Answer(const utrace_notice& notice, int64_t code) {
    utrace_answer answer = AnswerTo(notice);
    answer.flags = UTRACE_ANSWER_SET_RESULT;
    answer.result = code;
    return device_.Answer(answer);
  }
};

TEST_F(ExitCode, SmokeTheParentSeesTheOtherOne) {
  EXPECT_EQ(Answer(Exiting(SIGTERM), kFive), 0);
  EXPECT_EQ(tracee_.Wait(), kFive);
}

TEST_F(ExitCode, UnchangedItIsWhatItWas) {
  EXPECT_EQ(device_.Resume(Exiting(SIGTERM)), 0);
  EXPECT_EQ(tracee_.Wait(), SIGTERM);
}

// A child that ends, when told to, by that call; what its parent sees if the code becomes @code.
int EndOf(long call, int code) {
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) return -1;
  Fork child([&] {
    char byte = 0;
    if (read(pipe_fds[0], &byte, 1) == 1) syscall(call, 3);
    return 1;
  });
  Device device = Device::Open();
  EXPECT_GT(device.Attach(child.pid(), UTRACE_EVENT(EXIT)), 0);
  EXPECT_EQ(write(pipe_fds[1], "x", 1), 1);
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.event, UTRACE_EVENT(EXIT)) << ToString(notice);
  EXPECT_EQ(notice.result, 3 << 8) << ToString(notice);
  utrace_answer answer = AnswerTo(notice);
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = code;
  EXPECT_EQ(device.Answer(answer), 0);
  const int status = child.Wait();
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  return status;
}

TEST(ExitCodeOfACall, ADeathBySignalIsSeen) { EXPECT_EQ(EndOf(SYS_exit_group, SIGUSR1), SIGUSR1); }

// By exit() it is the thread's own, which is that of its process if it is the only one.
TEST(ExitCodeOfACall, TheOnlyThreadsIsThatOfItsProcess) {
  EXPECT_EQ(EndOf(SYS_exit, kFive), kFive);
}

TEST_F(ExitCode, OfTwoTheLastAnswerPrevailsAndOneThatSaysNothingChangesNothing) {
  Device other = Device::Open();
  ASSERT_GT(other.Attach(tracee_.pid(), UTRACE_EVENT(EXIT)), 0);
  const utrace_notice notice = Exiting(SIGTERM);
  const utrace_notice its = other.Next();
  EXPECT_EQ(Answer(notice, kFive), 0);
  EXPECT_EQ(other.Resume(its), 0);
  EXPECT_EQ(tracee_.Wait(), kFive);
}

TEST_F(ExitCode, WhatIsNoneIsRefused) {
  const utrace_notice notice = Exiting(SIGTERM);
  for (const int64_t code : {int64_t{-1}, int64_t{0x10000}, int64_t{1} << 32})
    EXPECT_EQ(Answer(notice, code), -EINVAL) << code;
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Wait(), SIGTERM);
}

TEST_F(ExitCode, ElsewhereThereIsNone) {
  Handle(SIGUSR1);
  Arm(UTRACE_EVENT(SIGNAL));
  Send(SIGUSR1);
  const utrace_notice notice = Held(UTRACE_EVENT(SIGNAL), SIGUSR1);
  EXPECT_EQ(Answer(notice, kFive), -EINVAL);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(Runs(), 1);
}

}  // namespace
}  // namespace utrace::test
