// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/thread_target.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"
#include "userspace/testing/fake_device.h"

namespace utrace {
namespace {

using ::testing::HasSubstr;

TEST(ThreadId, IsOneNumberOrTwo) {
  EXPECT_EQ(ParseThreadId("812")->pid, 812);
  EXPECT_EQ(ParseThreadId("812")->tid, 0);
  EXPECT_EQ(ParseThreadId("812/815")->tid, 815);
  for (const char* bad : {"", "x", "0", "-1", "812/", "812/0", "/815", "812/815/1", "812x"}) {
    EXPECT_EQ(ErrnoOf(ParseThreadId(bad).status()), EINVAL) << bad;
  }
}

absl::Status OpenError(pid_t pid, pid_t tid = 0) {
  return ThreadTarget::Open("stop", ThreadId{pid, tid}).status();
}

class ThreadTargetTest : public ::testing::Test {
 protected:
  ThreadTargetTest() : child_(::fork()) {
    if (child_ == 0) {
      for (;;) ::pause();
    }
  }
  ~ThreadTargetTest() override { End(); }

  void End() {
    if (child_ == 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  pid_t child_;
};

TEST_F(ThreadTargetTest, EachImpossibleTargetHasItsError) {
  const absl::Status self = OpenError(::getpid());
  EXPECT_EQ(ErrnoOf(self), EPERM);
  EXPECT_THAT(self.message(), HasSubstr("it is this utracectl itself"));

  const absl::Status no_thread = OpenError(child_, ::getpid());
  EXPECT_EQ(ErrnoOf(no_thread), ESRCH);
  EXPECT_THAT(no_thread.message(), HasSubstr("has no such thread"));

  ::kill(child_, SIGKILL);
  while (!ReadThread(child_)->Dead()) ::usleep(100);
  EXPECT_THAT(OpenError(child_).message(), HasSubstr("has ended and waits for its parent"));
  const pid_t dead = child_;
  End();
  child_ = 0;
  const absl::Status gone = OpenError(dead);
  EXPECT_EQ(ErrnoOf(gone), ESRCH);
  EXPECT_THAT(gone.message(), HasSubstr("there is no such process"));
}

TEST(ThreadTarget, AKernelThreadIsNamedAsOne) {
  const absl::StatusOr<ThreadInfo> kthreadd = ReadThread(2);
  if (!kthreadd.ok() || !kthreadd->kernel_thread) GTEST_SKIP() << "none in this pid namespace";
  const absl::Status status = OpenError(2);
  EXPECT_EQ(ErrnoOf(status), EPERM);
  EXPECT_THAT(status.message(), HasSubstr("is a kernel thread"));
}

TEST_F(ThreadTargetTest, AThreadIsNotTakenForItsProcess) {
  // Of this test program, seen from the child's side: the first thread of another process.
  const auto target = ThreadTarget::Open("stop", ThreadId{child_, child_});
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_FALSE(target->WholeProcess());
  EXPECT_EQ(target->Argument(), absl::StrCat(child_, "/", child_));
}

TEST_F(ThreadTargetTest, ARefusalSaysWhatToDo) {
  FakeModule module;
  auto device = std::make_unique<FakeDevice>(&module, ::getpid(), "test");
  FakeDevice* fake = device.get();
  const auto session = *Session::Open(std::move(device));
  const auto target = *ThreadTarget::Open("stop", ThreadId{child_, 0});
  fake->refuse_attach = EPERM;
  const absl::Status refused = target.Attach(*session, 0).status();
  EXPECT_EQ(ErrnoOf(refused), EPERM);
  EXPECT_THAT(refused.message(), HasSubstr(absl::StrCat("stop process ", child_)));
  fake->refuse_attach = EDQUOT;
  EXPECT_THAT(target.Attach(*session, 0).status().message(), HasSubstr("as many engines"));
  fake->refuse_attach = ESRCH;
  EXPECT_THAT(target.Attach(*session, 0).status().message(), HasSubstr("ended just now"));
}

}  // namespace
}  // namespace utrace
