// SPDX-License-Identifier: Apache-2.0
// Others who judge a thread's calls: seccomp, a listener of its notifications, the program itself
// by Syscall User Dispatch.  They judge what the call is after us, and go on as ever.
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

class JudgedCall : public testing::Test {
 protected:
  void Attach() {
    engine_ = device_.AttachForCalls(pid_, UTRACE_EVENT_SYSCALL, {SYS_getppid, SYS_getpriority});
    ASSERT_GT(engine_, 0);
  }
  std::string Ask(const std::string& verb, long nr) {
    return tracee_.Ask(verb + " " + std::to_string(nr));
  }
  void Tell(const std::string& verb, long nr) { tracee_.Tell(verb + " " + std::to_string(nr)); }
  utrace_notice Held(uint32_t event, int nr) {
    const utrace_notice notice = device_.Next();
    EXPECT_EQ(notice.event, event) << ToString(notice);
    EXPECT_EQ(notice.nr, nr);
    return notice;
  }
  // Through a call that is told as ever, to its result.
  std::string Told(const std::string& verb, int nr) {
    Tell(verb, nr);
    EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SYSCALL_ENTRY), nr)), 0);
    EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SYSCALL_EXIT), nr)), 0);
    return tracee_.Hear();
  }
  void RunInstead(const utrace_notice& entry, int nr) {
    utrace_answer answer = AnswerTo(entry);
    answer.flags = UTRACE_ANSWER_SET_CALL;
    answer.nr = nr;
    std::copy(std::begin(entry.args), std::end(entry.args), answer.args);
    EXPECT_EQ(device_.Answer(answer), 0);
  }

  Tracee tracee_{{"judged"}};
  const pid_t pid_ = tracee_.pid();
  Device device_ = Device::Open();
  int64_t engine_ = 0;
};

TEST_F(JudgedCall, SmokeSeccompJudgesWhatIsRunInTheEnd) {
  ASSERT_EQ(tracee_.Ask("errno 140 13"), "0");
  Attach();
  // What it allows, made what it does not.
  Tell("call", SYS_getppid);
  RunInstead(Held(UTRACE_EVENT(SYSCALL_ENTRY), SYS_getppid), SYS_getpriority);
  const utrace_notice refused = Held(UTRACE_EVENT(SYSCALL_EXIT), SYS_getpriority);
  EXPECT_EQ(refused.result, -EACCES);
  EXPECT_EQ(device_.Resume(refused), 0);
  EXPECT_EQ(tracee_.Hear(), "-13");
  // And the other way round.
  Tell("call", SYS_getpriority);
  RunInstead(Held(UTRACE_EVENT(SYSCALL_ENTRY), SYS_getpriority), SYS_getppid);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SYSCALL_EXIT), SYS_getppid)), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(getpid()));
}

// With a listener on getpriority.
class NotifiedCall : public JudgedCall {
 protected:
  void SetUp() override {
    const std::string said = Ask("notify", SYS_getpriority);
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    listener_ = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, std::stoi(said), 0));
    close(pidfd);
    ASSERT_GE(listener_, 0) << said;
    Attach();
  }
  void TearDown() override { close(listener_); }
  bool IsNotified(int timeout_ms) const {
    pollfd poll_fd{listener_, POLLIN, 0};
    return poll(&poll_fd, 1, Patience(timeout_ms)) == 1;
  }
  void Answer(long value) const {
    seccomp_notif notification{};
    ASSERT_EQ(ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &notification), 0);
    EXPECT_EQ(notification.data.nr, SYS_getpriority);
    seccomp_notif_resp response{};
    response.id = notification.id;
    response.val = value;
    EXPECT_EQ(ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
  }

  int listener_ = -1;
};

TEST_F(NotifiedCall, TheListenerIsToldAfterUs) {
  Tell("call", SYS_getpriority);
  const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY), SYS_getpriority);
  EXPECT_FALSE(IsNotified(100));
  EXPECT_EQ(device_.Resume(entry), 0);
  ASSERT_TRUE(IsNotified(10'000));
  Answer(77);
  const utrace_notice exit = Held(UTRACE_EVENT(SYSCALL_EXIT), SYS_getpriority);
  EXPECT_EQ(exit.result, 77);
  EXPECT_EQ(device_.Resume(exit), 0);
  EXPECT_EQ(tracee_.Hear(), "77");
}

TEST_F(NotifiedCall, OfASkippedCallThereIsNoNotification) {
  Tell("call", SYS_getpriority);
  utrace_answer answer = AnswerTo(Held(UTRACE_EVENT(SYSCALL_ENTRY), SYS_getpriority));
  answer.action |= UTRACE_SYSCALL_ABORT;
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = 42;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SYSCALL_EXIT), SYS_getpriority)), 0);
  EXPECT_EQ(tracee_.Hear(), "42");
  EXPECT_FALSE(IsNotified(100));
}

TEST_F(NotifiedCall, AStopDoesNotBreakTheWaitForTheListener) {
  Tell("call", SYS_getpriority);
  EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SYSCALL_ENTRY), SYS_getpriority)), 0);
  ASSERT_TRUE(IsNotified(10'000));
  EXPECT_TRUE(StopAccepted(device_.Control(engine_, pid_, UTRACE_STOP)));
  EXPECT_EQ(device_.Next(200).type, 0u);
  Answer(78);
  utrace_notice notice = device_.Next();
  for (; notice.type == UTRACE_NOTICE_HELD || notice.type == UTRACE_NOTICE_STOPPED;
       notice = device_.Next(200))
    EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "78");
}

// What the program dispatches to itself is a call of another ABI, and told to nobody.
TEST_F(JudgedCall, SmokeAUserOfDispatchGoesOn) {
  ASSERT_EQ(tracee_.Ask("dispatch on"), "0");
  ASSERT_EQ(Ask("dispatched", SYS_getppid), "1110");
  Attach();
  EXPECT_EQ(Ask("dispatched", SYS_getppid), "1110");
  EXPECT_EQ(Told("call", SYS_getppid), std::to_string(getpid()));
  EXPECT_EQ(Ask("dispatched", SYS_getppid), "1110");
  EXPECT_EQ(device_.Control(engine_, 0, UTRACE_DETACH), 0);
  EXPECT_EQ(Ask("dispatched", SYS_getppid), "1110");
  ASSERT_EQ(tracee_.Ask("dispatch off"), "0");
  EXPECT_EQ(Ask("dispatched", SYS_getppid), std::to_string(getpid()));
}

TEST_F(JudgedCall, DispatchBegunAndEndedUnderATracer) {
  Attach();
  ASSERT_EQ(tracee_.Ask("dispatch on"), "0");
  EXPECT_EQ(Ask("dispatched", SYS_getppid), "1110");
  EXPECT_EQ(Told("call", SYS_getppid), std::to_string(getpid()));
  ASSERT_EQ(tracee_.Ask("dispatch off"), "0");
  // Not dispatched any more, so told.
  EXPECT_EQ(Told("dispatched", SYS_getppid), std::to_string(getpid()));
}

// A debugger, as CRIU is one, sees the program's own setting and not that the flag is in use (H-9).
TEST_F(JudgedCall, ADebuggerSeesTheProgramsOwnDispatch) {
#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif
  struct {
    uint64_t mode, selector, offset, len;
  } config{};
  const auto mode = [&]() -> int64_t {
    EXPECT_EQ(ptrace(PTRACE_SEIZE, pid_, nullptr, nullptr), 0);
    EXPECT_EQ(ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr), 0);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, __WALL), pid_);
    const long got = ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG),
                            pid_, sizeof config, &config);
    const int error = errno;
    EXPECT_EQ(ptrace(PTRACE_DETACH, pid_, nullptr, nullptr), 0);
    return got == 0 ? static_cast<int64_t>(config.mode) : -error;
  };
  Attach();
  const int64_t before = mode();
  // The first kernels with the dispatch do not tell of it.
  if (before == -EIO) return;
  EXPECT_EQ(before, PR_SYS_DISPATCH_OFF);
  ASSERT_EQ(tracee_.Ask("dispatch on"), "0");
  EXPECT_EQ(mode(), PR_SYS_DISPATCH_ON);
  EXPECT_EQ(Ask("dispatched", SYS_getppid), "1110");
  EXPECT_EQ(Told("call", SYS_getppid), std::to_string(getpid()));
}

}  // namespace
}  // namespace utrace::test
