// SPDX-License-Identifier: Apache-2.0
// Where an asynchronous stop takes hold: behind what the thread still owes others, and sometimes in
// the middle of a call.
#include <elf.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(pipe(ends), 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2];
};

bool HasRegs(Device* device, int64_t engine, pid_t tid, const user_regs_struct& values) {
  user_regs_struct now{};
  return device->Regs(engine, tid, &now) == 0 && std::memcmp(&now, &values, sizeof(now)) == 0;
}

// What close() left to be done, as the waking of the other end, is done before the hold (H-19).
TEST(StopPlace, WhatWasClosedBeforeIsClosed) {
  Pipe pipe;
  Tracee tracee({"actor"});
  close(pipe.ends[1]);
  ASSERT_EQ(fcntl(pipe.ends[0], F_SETFL, O_NONBLOCK), 0);
  Device device = Device::Open();
  const int64_t engine = device.AttachForCalls(
      tracee.pid(), UTRACE_EVENT(SYSCALL_EXIT) | UTRACE_EVENT(QUIESCE), {SYS_close_range});
  ASSERT_GT(engine, 0);
  const std::string end = std::to_string(pipe.ends[1]);
  tracee.Tell("call " + std::to_string(SYS_close_range) + " " + end + " " + end);
  // At the call's end the closing is queued, where close() itself would have done it; what leads to
  // the next hold is queued after it, and works run last come, first served.
  const utrace_notice closed = device.Next();
  ASSERT_EQ(closed.type, UTRACE_NOTICE_HELD) << ToString(closed);
  ASSERT_EQ(closed.result, 0);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
  char byte;
  ASSERT_EQ(read(pipe.ends[0], &byte, 1), -1) << "closed too early for this test";
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_REPORT), 0);
  ASSERT_EQ(device.Resume(closed), 0);
  const utrace_notice quiet = device.Next();
  ASSERT_EQ(quiet.event, UTRACE_EVENT(QUIESCE)) << ToString(quiet);
  EXPECT_EQ(read(pipe.ends[0], &byte, 1), 0) << "no end of file";
  EXPECT_EQ(device.Resume(quiet), 0);
  EXPECT_EQ(tracee.Hear(), "0");
}

// io_uring runs a thread's works while it waits, so it is held inside io_uring_enter (H-19).
TEST(StopPlace, InTheMiddleOfACallIsToldAndTheCallKeepsItsResult) {
  Pipe pipe;
  Tracee tracee({"uring", std::to_string(pipe.ends[0])});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  usleep(50'000);
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP), -EINPROGRESS);
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  const utrace_notice notice = device.Next();
  ASSERT_EQ(notice.type, UTRACE_NOTICE_STOPPED) << ToString(notice);
  EXPECT_EQ(notice.nr, SYS_io_uring_enter);
  EXPECT_EQ(notice.flags, UTRACE_NOTICE_IN_SYSCALL);

  user_regs_struct values{};
  ASSERT_EQ(device.Regs(engine, tracee.pid(), &values), 0);
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &values, UTRACE_EXAMINE_WRITE), 0);
  // What is refused changes nothing, wherever the kernel keeps it.
  user_regs_struct moved = values;
  moved.r15 = 77;
  moved.eflags ^= 0x400;  // the direction flag
  moved.fs_base = moved.gs_base = 0x1000;
  user_regs_struct other = moved;
  other.rax = 77;
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &other, UTRACE_EXAMINE_WRITE), -EBUSY);
  EXPECT_TRUE(HasRegs(&device, engine, tracee.pid(), values));
  other = moved;
  other.orig_rax = SYS_getpid;
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &other, UTRACE_EXAMINE_WRITE), -EBUSY);
  EXPECT_TRUE(HasRegs(&device, engine, tracee.pid(), values));
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &moved, UTRACE_EXAMINE_WRITE), 0);
  EXPECT_TRUE(HasRegs(&device, engine, tracee.pid(), moved));
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &values, UTRACE_EXAMINE_WRITE), 0);
  EXPECT_EQ(device.Resume(notice), 0);
  EXPECT_EQ(tracee.Hear(), "1 1");
}

TEST(StopPlace, AnIgnoredSignalIsToldInTheMiddleOfACallToo) {
  Pipe pipe;
  Tracee tracee({"uring", std::to_string(pipe.ends[0])});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), UTRACE_EVENT(SIGNAL_IGN));
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  usleep(50'000);
  ASSERT_EQ(kill(tracee.pid(), SIGWINCH), 0);
  EXPECT_EQ(device.Next(100).type, 0u) << "it was woken";
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  const utrace_notice notice = device.Next();
  ASSERT_EQ(notice.event, UTRACE_EVENT(SIGNAL_IGN)) << ToString(notice);
  EXPECT_EQ(notice.nr, SYS_io_uring_enter);
  EXPECT_EQ(notice.flags, UTRACE_NOTICE_IN_SYSCALL | UTRACE_NOTICE_DROPPED);
  user_regs_struct values{};
  ASSERT_EQ(device.Regs(engine, tracee.pid(), &values), 0);
  values.rax = 77;
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &values, UTRACE_EXAMINE_WRITE), -EBUSY);
  EXPECT_EQ(device.Resume(notice), 0);
  EXPECT_EQ(tracee.Hear(), "1 1");
}

// The general registers of a 32-bit program, as <asm/user_32.h> orders them.
struct Regs32 {
  uint32_t ebx, ecx, edx, esi, edi, ebp, eax, ds, es, fs, gs, orig_eax, eip, cs, eflags, esp, ss;
};

int CallRegs32(Device* device, int64_t engine, pid_t tid, Regs32* values, uint32_t flags = 0) {
  utrace_regs regs{};
  regs.flags = flags;
  regs.engine = static_cast<uint64_t>(engine);
  regs.tid = tid;
  regs.type = NT_PRSTATUS;
  regs.buf = reinterpret_cast<__u64>(values);
  regs.len = sizeof(*values);
  return device->Call(UTRACE_IOC_REGS, &regs);
}

TEST(StopPlace, InTheMiddleOfACallOfA32BitProgramToo) {
  Tracee tracee({"ring32"});
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee.pid(), 0);
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 'S'; }));
  usleep(50'000);
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP), -EINPROGRESS);
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_INTERRUPT), 0);
  const utrace_notice notice = device.Next();
  ASSERT_EQ(notice.type, UTRACE_NOTICE_STOPPED) << ToString(notice);
  EXPECT_EQ(notice.nr, SYS_io_uring_enter);
  ASSERT_EQ(notice.flags, UTRACE_NOTICE_IN_SYSCALL | UTRACE_NOTICE_COMPAT);

  Regs32 values{};
  ASSERT_EQ(CallRegs32(&device, engine, tracee.pid(), &values), 0);
  EXPECT_EQ(values.orig_eax, static_cast<uint32_t>(SYS_io_uring_enter));
  // Twice: a write that changes nothing leaves it in the middle of the call.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(CallRegs32(&device, engine, tracee.pid(), &values, UTRACE_EXAMINE_WRITE), 0);
    for (uint32_t Regs32::*word : {&Regs32::eax, &Regs32::orig_eax}) {
      Regs32 other = values;
      other.ebx = 77;
      other.*word = 20;
      EXPECT_EQ(CallRegs32(&device, engine, tracee.pid(), &other, UTRACE_EXAMINE_WRITE), -EBUSY);
      Regs32 now{};
      EXPECT_EQ(CallRegs32(&device, engine, tracee.pid(), &now), 0);
      EXPECT_EQ(std::memcmp(&now, &values, sizeof(now)), 0);
    }
  }
  values.ebx = 78;
  EXPECT_EQ(CallRegs32(&device, engine, tracee.pid(), &values, UTRACE_EXAMINE_WRITE), 0);
  EXPECT_EQ(device.Resume(notice), 0);
}

// Behind the call its result is there, and can be changed.
TEST(StopPlace, AtTheEndOfACallItsResultIsWritable) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  const int64_t engine =
      device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_EXIT), {SYS_getpriority});
  ASSERT_GT(engine, 0);
  tracee.Tell("call " + std::to_string(SYS_getpriority));
  const utrace_notice end = device.Next();
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
  ASSERT_EQ(device.Control(engine, tracee.pid(), UTRACE_STOP), 0);
  ASSERT_EQ(device.Next().type, UTRACE_NOTICE_STOPPED);
  ASSERT_EQ(device.Resume(end), 0);
  user_regs_struct values{};
  ASSERT_EQ(device.Regs(engine, tracee.pid(), &values), 0);
  EXPECT_EQ(values.rax, 20u);
  values.rax = 77;
  EXPECT_EQ(device.Regs(engine, tracee.pid(), &values, UTRACE_EXAMINE_WRITE), 0);
  EXPECT_EQ(device.Control(engine, tracee.pid(), UTRACE_RESUME), 0);
  EXPECT_EQ(tracee.Hear(), "77");
}

}  // namespace
}  // namespace utrace::test
