// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/call_text.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace utrace {
namespace {

constexpr uint64_t kAddress = 0x7ffc12345678;

Payload String(int arg, std::string bytes, bool truncated = false) {
  return {arg, Payload::Kind::kString, truncated, false, std::move(bytes)};
}

template <typename T>
Payload Struct(int arg, const T& value) {
  Payload payload{arg, Payload::Kind::kBytes, false, false, {}};
  payload.bytes.assign(reinterpret_cast<const char*>(&value), sizeof(value));
  return payload;
}

SyscallEvent Call(int nr, std::array<uint64_t, 6> args, int64_t ret,
                  std::vector<Payload> payloads = {}) {
  SyscallEvent call;
  call.nr = nr;
  call.args = args;
  call.ret = ret;
  call.payloads = std::move(payloads);
  return call;
}

template <typename CallEvent>
std::string Line(const CallEvent& call) {
  const CallText text = DescribeCall(call, DecodeOptions{});
  std::string out = absl::StrCat(text.name, "(");
  for (size_t i = 0; i < text.args.size(); ++i) {
    absl::StrAppend(&out, i ? ", " : "", text.args[i].text);
  }
  return absl::StrCat(out, ") = ", text.result);
}

TEST(CallTextTest, NamesTheErrorOfAFailedOpenAndLeavesOutTheUnusedMode) {
  EXPECT_EQ(Line(Call(SYS_openat, {static_cast<uint64_t>(AT_FDCWD), kAddress, O_CLOEXEC, 0644},
                      -ENOENT, {String(1, "/etc/no such")})),
            "openat(AT_FDCWD, \"/etc/no such\", O_RDONLY|O_CLOEXEC) = "
            "-1 ENOENT (No such file or directory)");
}

TEST(CallTextTest, ShowsTheModeOfAFileToBeCreated) {
  EXPECT_EQ(
      Line(Call(SYS_openat,
                {static_cast<uint64_t>(AT_FDCWD), kAddress, O_WRONLY | O_CREAT | O_TRUNC, 0644}, 3,
                {String(1, "out")})),
      "openat(AT_FDCWD, \"out\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 3");
}

TEST(CallTextTest, CutsBuffersButNotPaths) {
  const std::string data(40, 'x');
  EXPECT_EQ(Line(Call(SYS_write, {1, kAddress, 40}, 40, {String(1, data)})),
            "write(1, \"" + std::string(32, 'x') + "\"..., 40) = 40");
  EXPECT_EQ(Line(Call(SYS_chdir, {kAddress}, 0, {String(0, data)})), "chdir(\"" + data + "\") = 0");
}

TEST(CallTextTest, ShowsTheAddressWhereMemoryCouldNotBeRead) {
  Payload unreadable = String(1, "");
  unreadable.fault = true;
  EXPECT_EQ(Line(Call(SYS_write, {1, 0x10, 4}, -EFAULT, {unreadable})),
            "write(1, 0x10, 4) = -1 EFAULT (Bad address)");
}

TEST(CallTextTest, AResultThatIsAnAddressReadsAsOne) {
  EXPECT_EQ(Line(Call(SYS_mmap, {0, 8192, 3, 0x22, ~uint64_t{0}, 0}, 0x7f0000001000)),
            "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = "
            "0x7f0000001000");
  EXPECT_EQ(Line(Call(SYS_brk, {0}, 0x55550000)), "brk(NULL) = 0x55550000");
}

TEST(CallTextTest, RestartCodesAreNoResultOfTheProgram) {
  EXPECT_EQ(
      Line(Call(SYS_wait4, {~uint64_t{0}, kAddress, 0, 0}, -512)),
      "wait4(-1, 0x7ffc12345678, 0, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)");
}

TEST(CallTextTest, ACallItsThreadDiedInHasNoResult) {
  SyscallEvent call = Call(SYS_exit_group, {3}, 0);
  call.no_return = true;
  EXPECT_EQ(Line(call), "exit_group(3) = ?");
}

TEST(CallTextTest, ReadsAWaitStatus) {
  EXPECT_EQ(Line(Call(SYS_wait4, {~uint64_t{0}, kAddress, 2, 0}, 12, {Struct(1, int{0x0700})})),
            "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 7}], WUNTRACED, NULL) = 12");
}

TEST(CallTextTest, AFutexCallHasOnlyTheArgumentsItsOperationUses) {
  EXPECT_EQ(Line(Call(SYS_futex, {kAddress, FUTEX_WAKE_PRIVATE, 1, 7, 7, 7}, 1)),
            "futex(0x7ffc12345678, FUTEX_WAKE_PRIVATE, 1) = 1");
}

TEST(CallTextTest, ReadsLimits) {
  const rlimit limit{8192 * 1024, RLIM_INFINITY};
  EXPECT_EQ(Line(Call(SYS_prlimit64, {0, RLIMIT_STACK, 0, kAddress}, 0, {Struct(3, limit)})),
            "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0");
}

TEST(CallTextTest, FlagsOfAGottenDescriptorStandWithTheResult) {
  EXPECT_EQ(Line(Call(SYS_fcntl, {3, F_GETFL, kAddress}, O_RDWR)),
            "fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)");
}

TEST(CallTextTest, ASocketOptionIsNamedByItsLevel) {
  EXPECT_EQ(Line(Call(SYS_setsockopt, {5, 6, 1, kAddress, 4}, 0, {Struct(3, int{1})})),
            "setsockopt(5, SOL_TCP, TCP_NODELAY, [1], 4) = 0");
  EXPECT_EQ(Line(Call(SYS_setsockopt, {5, 1, 9, kAddress, 4}, 0, {Struct(3, int{1})})),
            "setsockopt(5, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0");
}

TEST(CallTextTest, UnknownNumbersShowAllTheirArguments) {
  EXPECT_EQ(Line(Call(500, {1, 0, 0, 0, 0, 0xff}, -ENOSYS)),
            "syscall_0x1f4(0x1, 0, 0, 0, 0, 0xff) = -1 ENOSYS (Function not "
            "implemented)");
}

TEST(CallTextTest, APendingReadIsKnownUpToItsBuffer) {
  PendingEvent call;
  call.nr = SYS_read;
  call.args = {0, kAddress, 100};
  const CallText text = DescribeCall(call, DecodeOptions{});
  EXPECT_EQ(text.known_at_entry, 1u);
  EXPECT_EQ(text.result, "");
}

TEST(CallTextTest, A32BitCallGoesByItsOwnNumbers) {
  SyscallEvent call = Call(5, {kAddress & 0xffffffff, O_RDONLY, 0}, 3, {String(0, "/etc/passwd")});
  call.abi = Abi::kI386;
  EXPECT_EQ(Line(call), "open(\"/etc/passwd\", O_RDONLY) = 3");
}

}  // namespace
}  // namespace utrace
