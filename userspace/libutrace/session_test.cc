// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/session.h"

#include <cerrno>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/char_device.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/memory.h"
#include "userspace/libutrace/registers.h"
#include "userspace/testing/fake_device.h"

namespace utrace {
namespace {

using ::testing::HasSubstr;

constexpr pid_t kPid = 812;
constexpr int kOpenat = 257;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    module_.AddThread(kPid, kPid);
    module_.AddThread(kPid + 1, kPid);
    one_ = OpenAs(5000, "one");
    two_ = OpenAs(6000, "two");
  }

  std::unique_ptr<Session> OpenAs(pid_t owner, const char* comm) {
    auto device = std::make_unique<FakeDevice>(&module_, owner, comm);
    last_device_ = device.get();
    return *Session::Open(std::move(device));
  }

  utrace_notice OneNotice(Session& session) {
    const auto notices = *session.Read();
    EXPECT_EQ(notices.size(), 1u);
    return notices.empty() ? utrace_notice{} : notices[0];
  }

  FakeModule module_;
  FakeDevice* last_device_ = nullptr;
  std::unique_ptr<Session> one_;
  std::unique_ptr<Session> two_;
};

TEST_F(SessionTest, RefusesAModuleOfAnotherContractAndNamesBothVersions) {
  module_.features.abi = UTRACE_ABI_VERSION + 1;
  const auto session =
      Session::Open(std::make_unique<FakeDevice>(&module_, 7000, "three")).status();
  EXPECT_EQ(ErrnoOf(session), EPROTO);
  EXPECT_THAT(session.message(), HasSubstr("version 0.1.0-fake and speaks contract 2"));
  EXPECT_THAT(session.message(), HasSubstr("version " UTRACE_VERSION " and speaks contract 1"));
  EXPECT_THAT(session.message(), HasSubstr("rmmod utrace"));
}

TEST_F(SessionTest, WithoutTheModuleSaysHowToGetIt) {
  const auto device = CharDevice::Open(CharDevice::Access::kLook, "/nonexistent/utrace").status();
  EXPECT_EQ(ErrnoOf(device), ENOENT);
  EXPECT_THAT(device.message(), HasSubstr(HowToLoadModule()));
}

TEST_F(SessionTest, ANodeThatIsNotOursIsNotTakenForTheModule) {
  const auto session =
      Session::Open(*CharDevice::Open(CharDevice::Access::kOwn, "/dev/null")).status();
  EXPECT_EQ(ErrnoOf(session), EPROTO) << session;
}

TEST_F(SessionTest, AttachToTheDeadNamesThem) {
  const auto engine = one_->Attach(AttachTarget::Thread(4242), 0).status();
  EXPECT_EQ(ErrnoOf(engine), ESRCH);
  EXPECT_EQ(engine.message(), "attach to thread 4242: No such process");
}

TEST_F(SessionTest, AProcessIsAttachedByItsPidfd) {
  UniqueFd pidfd(77);
  last_device_->pidfds[77] = kPid;
  const auto engine = *two_->Attach(AttachTarget::Process(pidfd, kPid), 0);
  pidfd.Release();
  EXPECT_EQ(engine.Threads(), 2u);
}

TEST_F(SessionTest, AHeldCallWaitsForItsAnswer) {
  Engine engine = *one_->Attach(AttachTarget::Thread(kPid), 0, 99);
  ASSERT_TRUE(engine.SetSyscalls({kOpenat}).ok());
  ASSERT_TRUE(engine.SetEvents(UTRACE_EVENT(SYSCALL_ENTRY)).ok());
  EXPECT_FALSE(module_.Reach(kPid, UTRACE_EVENT(SYSCALL_ENTRY), 0));
  EXPECT_TRUE(module_.Reach(kPid, UTRACE_EVENT(SYSCALL_ENTRY), kOpenat));
  const utrace_notice notice = OneNotice(*one_);
  EXPECT_EQ(notice.cookie, 99u);
  EXPECT_EQ(notice.nr, kOpenat);
  ASSERT_TRUE(engine.Answer(notice).ok());
  EXPECT_FALSE(module_.Held(kPid));
}

TEST_F(SessionTest, TwoHoldersMustBothLetGo) {
  Engine first = *one_->Attach(AttachTarget::Thread(kPid), 0);
  Engine second = *two_->Attach(AttachTarget::Thread(kPid), 0);
  EXPECT_FALSE(first.Stop(kPid)->stopped);
  module_.ComeBy(kPid);
  EXPECT_TRUE(second.Stop(kPid)->stopped);
  const Released released = *first.Resume(kPid);
  EXPECT_EQ(released.affected, 1u);
  EXPECT_EQ(released.held_by_others, 1u);
  EXPECT_TRUE(module_.Held(kPid));
  EXPECT_EQ(second.Resume(kPid)->held_by_others, 0u);
  EXPECT_FALSE(module_.Held(kPid));
}

TEST_F(SessionTest, AClosedSessionTakesOnlyItsOwnHoldsAlong) {
  Engine first = *one_->Attach(AttachTarget::Thread(kPid), 0);
  Engine second = *two_->Attach(AttachTarget::Thread(kPid), 0);
  ASSERT_TRUE(first.Stop(kPid).ok());
  ASSERT_TRUE(second.Stop(kPid).ok());
  one_.reset();
  EXPECT_TRUE(module_.Held(kPid));
  EXPECT_EQ(two_->List(kPid)->size(), 1u);
  two_.reset();
  EXPECT_FALSE(module_.Held(kPid));
}

TEST_F(SessionTest, AnAnswerToOneSlotNeverReleasesTheOther) {
  Engine engine = *one_->Attach(AttachTarget::Thread(kPid), UTRACE_EVENT(EXEC));
  module_.Reach(kPid, UTRACE_EVENT(EXEC));
  const utrace_notice held = OneNotice(*one_);
  const uint64_t stop = engine.Stop(kPid)->seq;
  ASSERT_TRUE(engine.Resume(kPid, stop).ok());
  EXPECT_TRUE(module_.Held(kPid));
  ASSERT_TRUE(engine.Resume(kPid, held.seq).ok());
  EXPECT_FALSE(module_.Held(kPid));
}

TEST_F(SessionTest, ANumberNeverHandedOutIsRefusedAndChangesNothing) {
  Engine engine = *one_->Attach(AttachTarget::Thread(kPid), 0);
  const uint64_t stop = engine.Stop(kPid)->seq;
  for (const uint64_t seq : {stop + 2, stop - 1, uint64_t{1} << 63}) {
    EXPECT_EQ(ErrnoOf(engine.Resume(kPid, seq).status()), ERANGE) << seq;
  }
  EXPECT_TRUE(module_.Held(kPid));
}

TEST_F(SessionTest, AnotherSessionsEngineCanOnlyBeLetGo) {
  Engine engine = *one_->Attach(AttachTarget::Thread(kPid), 0);
  ASSERT_TRUE(engine.Stop(kPid).ok());
  Engine foreign = two_->Foreign(engine.Id());
  EXPECT_EQ(ErrnoOf(foreign.Stop(kPid).status()), EINVAL);
  EXPECT_TRUE(foreign.Detach().ok());
  EXPECT_FALSE(module_.Held(kPid));
  EXPECT_EQ(OneNotice(*one_).reason, UTRACE_GONE_RELEASED);
}

TEST_F(SessionTest, ListsMoreThanItFirstHasRoomFor) {
  std::vector<Engine> engines;
  for (int i = 0; i < 150; ++i) engines.push_back(*one_->Attach(AttachTarget::Thread(kPid), 0));
  EXPECT_EQ(one_->List()->size(), 150u);
  EXPECT_EQ(one_->List(kPid + 7)->size(), 0u);
}

TEST_F(SessionTest, NextAnswersAndWaitsInOneCall) {
  Engine engine = *one_->Attach(AttachTarget::Thread(kPid), UTRACE_EVENT(EXEC));
  module_.Reach(kPid, UTRACE_EVENT(EXEC));
  const utrace_notice held = OneNotice(*one_);
  auto answer = Sized<utrace_answer>();
  answer.engine = engine.Id();
  answer.seq = held.seq;
  answer.tid = kPid;
  answer.action = UTRACE_RESUME;
  EXPECT_TRUE(one_->Next(&answer, absl::ZeroDuration())->empty());
  EXPECT_FALSE(module_.Held(kPid));
}

TEST_F(SessionTest, RegistersOfAHeldThreadByName) {
  Engine engine = *one_->Attach(AttachTarget::Thread(kPid), 0);
  EXPECT_EQ(ErrnoOf(Registers::Read(engine, kPid).status()), EINVAL) << "it is not held";
  ASSERT_TRUE(engine.Stop(kPid).ok());
  module_.RegistersOf(kPid).rip = 0x401000;
  auto registers = Registers::Read(engine, kPid);
  ASSERT_TRUE(registers.ok()) << registers.status();
  EXPECT_EQ(*registers->Get("rip"), 0x401000u);
  EXPECT_EQ(ErrnoOf(registers->Get("pc").status()), EINVAL);
  ASSERT_TRUE(registers->Set("rax", 7).ok());
  EXPECT_EQ(module_.RegistersOf(kPid).rax, 0u);
  ASSERT_TRUE(registers->Write().ok());
  EXPECT_EQ(module_.RegistersOf(kPid).rax, 7u);
}

TEST_F(SessionTest, AShortReadIsSaid) {
  Engine engine = *one_->Attach(AttachTarget::Thread(kPid), 0);
  ASSERT_TRUE(engine.Stop(kPid).ok());
  module_.Memory()[0x1000] = std::string("hello\0world", 11);
  const Memory memory(engine, kPid);
  std::vector<std::byte> bytes(64);
  EXPECT_EQ(*memory.Read(0x1000, absl::MakeSpan(bytes)), 11u);
  const absl::Status all = memory.ReadAll(0x1000, absl::MakeSpan(bytes));
  EXPECT_EQ(ErrnoOf(all), EFAULT);
  EXPECT_THAT(all.message(), HasSubstr("short, 11 done"));
  EXPECT_EQ(*memory.ReadString(0x1000, 100), "hello");
  EXPECT_EQ(ErrnoOf(memory.Read(0x9000, absl::MakeSpan(bytes)).status()), EFAULT);
}

}  // namespace
}  // namespace utrace
