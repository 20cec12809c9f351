// SPDX-License-Identifier: Apache-2.0
// A program that is sent signals, and an engine that holds it at them.
#ifndef TESTS_INTEGRATION_SIGNAL_STOP_H_
#define TESTS_INTEGRATION_SIGNAL_STOP_H_

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {

inline constexpr uint32_t kDrop =
    static_cast<uint32_t>(UTRACE_RESUME) | static_cast<uint32_t>(UTRACE_SIGNAL_IGN);
// Nothing is ever mapped there.
inline constexpr uintptr_t kBad = 0x1000;

inline siginfo_t InfoOf(const utrace_notice& notice) {
  siginfo_t info{};
  static_assert(sizeof(notice.siginfo) <= sizeof(info));
  std::memcpy(&info, notice.siginfo, sizeof(notice.siginfo));
  return info;
}

inline utrace_answer Instead(const utrace_notice& notice, const siginfo_t& info) {
  utrace_answer answer = AnswerTo(notice);
  answer.flags = UTRACE_ANSWER_SET_SIGNAL;
  std::memcpy(answer.siginfo, &info, sizeof(answer.siginfo));
  return answer;
}

class SignalStop : public testing::Test {
 protected:
  void Arm(uint32_t events, uint32_t flags = 0) {
    ASSERT_GT(engine_ = device_.Attach(tracee_.pid(), events, flags), 0);
  }
  void Do(const std::string& line) { ASSERT_EQ(tracee_.Ask(line), "0") << line; }
  void Handle(int signo, const std::string& how = "") {
    Do("handle " + std::to_string(signo) + " " + how);
  }
  void Send(int signo, int value = 0) {
    sigval with{};
    with.sival_int = value;
    ASSERT_EQ(sigqueue(tracee_.pid(), signo, with), 0);
  }
  // Held at what it was just sent.
  utrace_notice Held(uint32_t event, int signo) {
    const utrace_notice notice = device_.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, event) << ToString(notice);
    EXPECT_EQ(notice.result, signo) << ToString(notice);
    EXPECT_TRUE(IsHeld());
    return notice;
  }
  bool IsHeld() {
    return Eventually([&] { return StateOf(tracee_.pid()) == 't'; });
  }
  // Blocked in that call.
  bool IsIn(long nr) {
    return Eventually([&] {
      std::ifstream file("/proc/" + std::to_string(tracee_.pid()) + "/syscall");
      long now = -1;
      return file >> now && now == nr;
    });
  }
  // What its parent, this test, sees of it.
  int StoppedBy() {
    int status = 0;
    if (!Eventually([&] { return waitpid(tracee_.pid(), &status, WUNTRACED | WNOHANG) > 0; },
                    1'000))
      return 0;
    return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
  }
  // How often its handlers ran; -1 if it does not say.
  int Runs() {
    const std::string seen = tracee_.Ask("seen");
    return seen.empty() ? -1 : std::stoi(seen);
  }
  // Does nothing more come?
  void NothingToTell() {
    const utrace_notice notice = device_.Next(200);
    EXPECT_EQ(notice.type, 0u) << ToString(notice);
  }

  Tracee tracee_{{"handler"}};
  Device device_ = Device::Open();
  int64_t engine_ = 0;
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_SIGNAL_STOP_H_
