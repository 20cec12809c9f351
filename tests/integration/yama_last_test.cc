// SPDX-License-Identifier: Apache-2.0
// Yama's last word, which only a reboot takes back: programs of tests run by name, and this one is
// the last.
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/identity.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;

TEST(YamaLast, NobodyMayTraceAnybodyAnyMore) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  ASSERT_GT(device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY) | UTRACE_EVENT(EXEC),
                                  {SYS_execve, SYS_getppid}),
            0);
  // On 6.1 there are none, and then nothing is there to come to the exec below.
  Cli every(
      {"engine", "load", "/payload/engines/exechold.bpf.o", "--every-exec", "--set", "name=uname"});
  EXPECT_TRUE(every.Says("every process that is run") || every.Says("6.9 or later"));
  YamaScope::Set(3);
  ASSERT_EQ(YamaScope::Get(), 3);

  // Who was there before stays, as a debugger would, until the next exec.
  tracee.Tell("call " + std::to_string(SYS_getppid));
  const utrace_notice call = device.Next();
  EXPECT_EQ(call.nr, SYS_getppid);
  EXPECT_EQ(device.Resume(call), 0);
  EXPECT_NE(tracee.Hear(), "");
  tracee.Tell("exec");
  EXPECT_EQ(device.Resume(device.Next()), 0);
  const utrace_notice gone = device.Next();
  EXPECT_EQ(gone.type, UTRACE_NOTICE_GONE);
  EXPECT_EQ(gone.reason, UTRACE_GONE_EXEC);
  EXPECT_EQ(tracee.Hear(), "ready");

  EXPECT_EQ(Cli::Of({"uname"}).Wait(), 0) << "held by an engine in BPF";
  EXPECT_EQ(device.Attach(tracee.pid(), 0), -EPERM);
  EXPECT_EQ(ptrace(PTRACE_SEIZE, tracee.pid(), nullptr, nullptr), -1);
  const CliResult stop = RunCli({"stop", "-p", std::to_string(tracee.pid())});
  EXPECT_EQ(stop.status, 1);
  EXPECT_THAT(stop.err,
              HasSubstr("Yama forbids all tracing until reboot (kernel.yama.ptrace_scope=3)\n"));
}

}  // namespace
}  // namespace utrace::test
