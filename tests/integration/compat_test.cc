// SPDX-License-Identifier: Apache-2.0
// Calls by other tables than the 64-bit one: i386 by either way into the kernel, and x32.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/priority_caller.h"

namespace utrace::test {
namespace {

constexpr int kGetpriority32 = 96;
constexpr int kGetppid32 = 64;
constexpr int kX32 = 0x40000000;

// By int 0x80, or by the vDSO's fast way.
class Compat : public PriorityCaller, public testing::WithParamInterface<const char*> {
 protected:
  Compat() : PriorityCaller({"calls32"}, kGetpriority32, kGetpriority32, UTRACE_NOTICE_COMPAT) {}
};

// A line has two bytes with its end.
INSTANTIATE_TEST_SUITE_P(Calls, Compat, testing::Values("i", "v"));

TEST_P(Compat, SmokeAreToldByTheirNumber) { IsTold(GetParam()); }
TEST_P(Compat, AreSkipped) { IsSkipped(GetParam()); }
TEST_P(Compat, AreChanged) { IsChanged(GetParam(), kGetppid32); }

TEST_P(Compat, HaveAnotherResult) {
  Attach(UTRACE_EVENT(SYSCALL_EXIT), GetParam());
  utrace_answer answer = AnswerTo(Held(UTRACE_EVENT(SYSCALL_EXIT)));
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = 43;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), "43");
}

// Most kernels have no such calls, and say so themselves; nobody gets past a set of calls by them.
TEST(X32, ACallIsTheOneOfItsNumber) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  ASSERT_GT(device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getpriority}), 0);
  tracee.Tell("call " + std::to_string(kX32 | SYS_getpriority));
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.nr, kX32 | SYS_getpriority) << ToString(notice);
  EXPECT_EQ(device.Resume(notice), 0);
  const long untraced = syscall(kX32 | SYS_getpriority, 0, 0);
  const std::string expected = std::to_string(untraced == -1 ? -errno : untraced);
  EXPECT_EQ(tracee.Hear(), expected);
}

}  // namespace
}  // namespace utrace::test
