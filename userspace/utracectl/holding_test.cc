// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/holding.h"

#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/testing/fake_device.h"

namespace utrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// No process has such a number, so that nothing of this machine gets into the lines.
constexpr pid_t kPid = 1 << 29;
constexpr int kOpenat = 257;

class HoldingTest : public ::testing::Test {
 protected:
  HoldingTest() {
    module_.AddThread(kPid, kPid);
    module_.AddThread(kPid + 1, kPid);
    other_ = *Session::Open(std::make_unique<FakeDevice>(&module_, kPid + 90, "other"));
  }

  void Make(HoldRules rules) {
    auto device = std::make_unique<FakeDevice>(&module_, kPid + 80, "holder");
    device->pidfds[pidfd_.Get()] = kPid;
    auto holding = Holding::Create(*Session::Open(std::move(device)), std::move(rules),
                                   [this](absl::string_view line) { lines_.emplace_back(line); });
    ASSERT_TRUE(holding.ok()) << holding.status();
    holding_ = *std::move(holding);
  }

  Engine Attach(uint32_t events) {
    Engine engine = *holding_->GetSession().Attach(AttachTarget::Process(pidfd_, kPid), events);
    EXPECT_TRUE(holding_->Add(engine).ok());
    return engine;
  }

  Holding::End RunOnce() {
    return *holding_->Run([] { return false; }, absl::Now() + absl::Milliseconds(1));
  }

  FakeModule module_;
  UniqueFd pidfd_{::dup(0)};
  std::unique_ptr<Session> other_;
  std::unique_ptr<Holding> holding_;
  std::vector<std::string> lines_;
};

TEST_F(HoldingTest, TellsOfEachThreadAsItComesBy) {
  HoldRules rules;
  rules.stop_all = true;
  Make(rules);
  Attach(0);
  ASSERT_TRUE(holding_->StopAll().ok());
  module_.ComeBy(kPid);
  EXPECT_EQ(RunOnce(), Holding::End::kTimeout);
  EXPECT_THAT(holding_->Held(), ElementsAre(kPid));
  EXPECT_THAT(holding_->Armed(), ElementsAre(kPid + 1));
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], HasSubstr("held: tid 536870912 of process 536870912 before its next"));
}

TEST_F(HoldingTest, ThreadsBornLaterAreHeldToo) {
  HoldRules rules;
  rules.stop_all = true;
  Make(rules);
  Attach(0);
  ASSERT_TRUE(holding_->StopAll().ok());
  module_.Clone(kPid, kPid + 2, /*same_process=*/true);
  module_.ComeBy(kPid + 2);
  RunOnce();
  EXPECT_THAT(holding_->Held(), ElementsAre(kPid + 2));
}

TEST_F(HoldingTest, OnceMeansThatTheNextCallIsNotHeld) {
  HoldRules rules;
  rules.once = true;
  Make(rules);
  Engine engine = Attach(0);
  ASSERT_TRUE(engine.SetSyscalls({kOpenat}).ok());
  ASSERT_TRUE(engine.SetEvents(UTRACE_EVENT(SYSCALL_ENTRY)).ok());
  EXPECT_TRUE(module_.Reach(kPid, UTRACE_EVENT(SYSCALL_ENTRY), kOpenat));
  RunOnce();
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("at the entry of openat")));
  ASSERT_TRUE(other_->Foreign(engine.Id()).Resume(kPid).ok());
  EXPECT_FALSE(module_.Reach(kPid, UTRACE_EVENT(SYSCALL_ENTRY), kOpenat));
  EXPECT_TRUE(module_.Reach(kPid + 1, UTRACE_EVENT(SYSCALL_ENTRY), kOpenat)) << "still armed";
}

TEST_F(HoldingTest, WhatNeedNotStayGoesOnAtOnce) {
  HoldRules rules;
  rules.keep = [](const utrace_notice& notice) { return notice.tid != kPid; };
  Make(rules);
  Attach(UTRACE_EVENT(EXEC));
  module_.Reach(kPid, UTRACE_EVENT(EXEC));
  module_.Reach(kPid + 1, UTRACE_EVENT(EXEC));
  RunOnce();
  EXPECT_FALSE(module_.Held(kPid));
  EXPECT_TRUE(module_.Held(kPid + 1));
}

TEST_F(HoldingTest, EndsWhenOthersHaveLetGoOfAll) {
  HoldRules rules;
  rules.stop_all = true;
  Make(rules);
  const Engine engine = Attach(0);
  ASSERT_TRUE(holding_->StopAll().ok());
  module_.ComeBy(kPid);
  ASSERT_TRUE(other_->Foreign(engine.Id()).Resume(kAllThreads).ok());
  const auto end = holding_->Run([] { return false; }, absl::Now() + absl::Seconds(30));
  EXPECT_EQ(*end, Holding::End::kNothingLeft);
  EXPECT_THAT(lines_.back(), HasSubstr("resumed by another"));
}

TEST_F(HoldingTest, EndsWhenAllHaveDied) {
  Make(HoldRules());
  Attach(UTRACE_EVENT(EXEC));
  module_.Die(kPid, 9);
  module_.Die(kPid + 1, 9);
  EXPECT_EQ(RunOnce(), Holding::End::kNothingLeft);
}

TEST_F(HoldingTest, ASignalAsksForTheEndAndTheHoldsGo) {
  HoldRules rules;
  rules.stop_all = true;
  Make(rules);
  Attach(0);
  ASSERT_TRUE(holding_->StopAll().ok());
  module_.ComeBy(kPid);
  ::raise(SIGTERM);
  const auto end = holding_->Run([] { return false; }, absl::InfiniteFuture());
  EXPECT_EQ(*end, Holding::End::kAskedToEnd);
  holding_->LetGo();
  EXPECT_FALSE(module_.Held(kPid));
  EXPECT_FALSE(module_.Held(kPid + 1));
}

TEST_F(HoldingTest, SaysWhoHoldsOn) {
  HoldRules rules;
  rules.stop_all = true;
  Make(rules);
  Attach(0);
  ASSERT_TRUE(holding_->StopAll().ok());
  module_.ComeBy(kPid);
  RunOnce();
  ASSERT_TRUE(other_->Attach(AttachTarget::Thread(kPid), 0)->Stop().ok());
  holding_->LetGo();
  EXPECT_TRUE(module_.Held(kPid));
  EXPECT_THAT(lines_.back(), HasSubstr("still held by engine 2 of other (536871002)"));
}

}  // namespace
}  // namespace utrace
