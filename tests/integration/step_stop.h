// SPDX-License-Identifier: Apache-2.0
// A program whose instructions are known, and an engine that steps it.
#ifndef TESTS_INTEGRATION_STEP_STOP_H_
#define TESTS_INTEGRATION_STEP_STOP_H_

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {

inline constexpr uint32_t kStep = UTRACE_EVENT(STEP);
inline constexpr uint32_t kExit = UTRACE_EVENT(SYSCALL_EXIT);
inline constexpr uint64_t kTrapFlag = 0x100;

class StepStop : public testing::Test {
 protected:
  void SetUp() override {
    std::istringstream text(tracee_.Ask("places"));
    for (uint64_t place; text >> std::hex >> place;) places_.push_back(place);
    ASSERT_EQ(places_.size(), 10u);
    ASSERT_GT(engine_ = device_.AttachForCalls(tracee_.pid(), kExit | kStep, {SYS_getppid}), 0);
  }
  static utrace_answer Step(const utrace_notice& notice, uint32_t how = UTRACE_SINGLESTEP) {
    return AnswerTo(notice, how);
  }
  utrace_notice Held(Device& device, uint32_t event) {
    const utrace_notice notice = device.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, event) << ToString(notice);
    return notice;
  }
  utrace_notice Held(uint32_t event) { return Held(device_, event); }
  // At the end of the mark's call, from which the places go on.
  utrace_notice AtMark(const std::string& verb) {
    tracee_.Tell(verb);
    return Held(kExit);
  }
  // Steps @count times, and is held after the last.
  utrace_notice Steps(utrace_notice notice, unsigned count) {
    for (unsigned step = 0; step < count && !HasFailure(); ++step) {
      EXPECT_EQ(device_.Answer(Step(notice)), 0);
      notice = Held(kStep);
    }
    return notice;
  }
  uint64_t Flags() {
    user_regs_struct regs{};
    EXPECT_EQ(device_.Regs(engine_, tracee_.pid(), &regs), 0);
    return regs.eflags;
  }
  // Lets it go; what it answers to the verb.
  std::string Goes(const utrace_notice& notice) {
    EXPECT_EQ(device_.Resume(notice), 0);
    return tracee_.Hear();
  }
  // Nobody is traced any more, and the kernel is as it was.
  static bool HooksGone() {
    Device looker = Device::Open(O_RDONLY);
    return Eventually([&] {
      utrace_features features{};
      EXPECT_EQ(looker.Call(UTRACE_IOC_FEATURES, &features), 0);
      return features.hooks == 0;
    });
  }
  static void NothingToTell(Device& device) {
    const utrace_notice notice = device.Next(200);
    EXPECT_EQ(notice.type, 0u) << ToString(notice);
  }

  Tracee tracee_{{"walker"}};
  Device device_ = Device::Open();
  int64_t engine_ = 0;
  std::vector<uint64_t> places_;
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_STEP_STOP_H_
