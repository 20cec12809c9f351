// SPDX-License-Identifier: Apache-2.0
// Threads held at system calls, and what an answer may change.
#include <elf.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

std::string CallLine(long nr, const std::string& arguments = "") {
  return "call " + std::to_string(nr) + " " + arguments;
}

constexpr uint32_t kSkip =
    static_cast<uint32_t>(UTRACE_RESUME) | static_cast<uint32_t>(UTRACE_SYSCALL_ABORT);

class SyscallStop : public testing::Test {
 protected:
  // Held at getpriority, which nobody else calls: its arguments mean nothing to us.
  void Arm(uint32_t events) {
    ASSERT_GT(engine_ = device_.AttachForCalls(tracee_.pid(), events, {SYS_getpriority}), 0);
  }
  utrace_notice Trigger() {
    tracee_.Tell(CallLine(SYS_getpriority, "0 0 0x33 0x44 0x55 0x66"));
    return device_.Next();
  }

  Tracee tracee_{{"actor"}};
  Device device_ = Device::Open();
  int64_t engine_ = 0;
};

TEST_F(SyscallStop, SmokeTellsNumberAndArguments) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Trigger();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
  EXPECT_EQ(notice.event, UTRACE_EVENT(SYSCALL_ENTRY));
  EXPECT_EQ(notice.engine, static_cast<uint64_t>(engine_));
  EXPECT_EQ(notice.tid, tracee_.pid());
  EXPECT_EQ(notice.tgid, tracee_.pid());
  EXPECT_EQ(notice.nr, SYS_getpriority);
  EXPECT_EQ(notice.args[2], 0x33u);
  EXPECT_EQ(notice.args[3], 0x44u);
  EXPECT_EQ(notice.args[4], 0x55u);
  EXPECT_EQ(notice.args[5], 0x66u);
  EXPECT_EQ(notice.flags, 0u);
  EXPECT_NE(notice.ip, 0u);
  EXPECT_NE(notice.sp, 0u);
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 't'; }));
  EXPECT_EQ(tracee_.Hear(100), "");
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallStop, ListShowsWhoHoldsWhere) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Trigger();
  ASSERT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 't'; }));
  const std::vector<utrace_info> infos = device_.List(tracee_.pid());
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].flags, UTRACE_INFO_HELD_REPORT | UTRACE_INFO_ASLEEP);
  EXPECT_EQ(infos[0].seq, notice.seq);
  EXPECT_EQ(infos[0].event, UTRACE_EVENT(SYSCALL_ENTRY));
  EXPECT_EQ(infos[0].nr, SYS_getpriority);
  EXPECT_NE(infos[0].since_ns, 0u);
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t now_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  EXPECT_LT(infos[0].since_ns, now_ns + 20'000'000);
  EXPECT_GT(infos[0].since_ns + 10'000'000'000, now_ns);
}

TEST_F(SyscallStop, ExitTellsTheResult) {
  Arm(UTRACE_EVENT(SYSCALL_EXIT));
  const utrace_notice notice = Trigger();
  EXPECT_EQ(notice.event, UTRACE_EVENT(SYSCALL_EXIT)) << ToString(notice);
  EXPECT_EQ(notice.nr, SYS_getpriority);
  EXPECT_EQ(notice.result, 20);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallStop, AnswerSetsTheResult) {
  Arm(UTRACE_EVENT(SYSCALL_EXIT));
  utrace_answer answer = AnswerTo(Trigger());
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = 4242;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), "4242");
  answer = AnswerTo(Trigger());
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = -EXDEV;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EXDEV));
}

TEST_F(SyscallStop, AnswerSetsTheCall) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(Trigger());
  answer.flags = UTRACE_ANSWER_SET_CALL;
  answer.nr = SYS_getpid;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(tracee_.pid()));
}

TEST_F(SyscallStop, AnswerSetsTheArguments) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(Trigger());
  answer.flags = UTRACE_ANSWER_SET_CALL;
  answer.nr = SYS_close;
  answer.args[0] = 12345;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EBADF));
}

TEST_F(SyscallStop, AnswerSkipsTheCall) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  utrace_answer answer = AnswerTo(Trigger());
  answer.action = kSkip;
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  answer.result = -EACCES;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-EACCES));
  answer = AnswerTo(Trigger());
  answer.action = kSkip;
  EXPECT_EQ(device_.Answer(answer), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(-ENOSYS));
}

// The entry's engine may ask for the exit too: the changed call's own result comes there.
TEST_F(SyscallStop, EntryAndExitOfOneCall) {
  Arm(UTRACE_EVENT_SYSCALL);
  const utrace_notice entry = Trigger();
  EXPECT_EQ(entry.event, UTRACE_EVENT(SYSCALL_ENTRY));
  EXPECT_EQ(device_.Resume(entry), 0);
  const utrace_notice exit = device_.Next();
  EXPECT_EQ(exit.event, UTRACE_EVENT(SYSCALL_EXIT));
  EXPECT_EQ(exit.result, 20);
  EXPECT_GT(exit.seq, entry.seq);
  EXPECT_EQ(device_.Resume(exit), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallStop, RefusesAnswersThatDoNotFit) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Trigger();
  utrace_answer answer = AnswerTo(notice);
  answer.flags = UTRACE_ANSWER_SET_RESULT;
  EXPECT_EQ(device_.Answer(answer), -EINVAL) << "a result at entry";
  answer = AnswerTo(notice, UTRACE_STOP);
  EXPECT_EQ(device_.Answer(answer), -EINVAL) << "an answer that holds on";
  answer = AnswerTo(notice);
  answer.seq = notice.seq + 2;
  EXPECT_EQ(device_.Answer(answer), -ERANGE) << "a number never handed out";
  answer.seq = notice.seq ^ 1;
  EXPECT_EQ(device_.Answer(answer), -ERANGE) << "the other slot";
  answer.seq = 1ull << 63;
  EXPECT_EQ(device_.Answer(answer), -ERANGE);
  answer.seq = 0;
  EXPECT_EQ(device_.Answer(answer), -EINVAL);
  answer = AnswerTo(notice);
  answer.tid = 1;
  EXPECT_EQ(device_.Answer(answer), -ESRCH);
  answer = AnswerTo(notice);
  answer.engine += 1000;
  EXPECT_EQ(device_.Answer(answer), -ESRCH);
  // After all that it is held as before.
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 't'; }));
  EXPECT_EQ(device_.Answer(AnswerTo(notice)), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallStop, StaleAnswersChangeNothing) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice first = Trigger();
  ASSERT_EQ(device_.Resume(first), 0);
  ASSERT_EQ(tracee_.Hear(), "20");
  EXPECT_EQ(device_.Resume(first), 0) << "repeated, while it runs";
  const utrace_notice second = Trigger();
  EXPECT_EQ(device_.Resume(first), 0) << "repeated, while it is held for the next";
  utrace_answer stale = AnswerTo(first);
  stale.flags = UTRACE_ANSWER_SET_CALL;
  stale.nr = SYS_exit;
  EXPECT_EQ(device_.Answer(stale), -EINVAL) << "one that would write";
  EXPECT_EQ(tracee_.Hear(100), "");
  EXPECT_EQ(device_.Resume(second), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

bool KernelHasWarned() {
  unsigned long taints = 0;
  std::ifstream("/proc/sys/kernel/tainted") >> taints;
  return (taints & 1UL << 9) != 0;
}

// The later of two keeps nothing of the thread, which the kernel looks at when it frees it.
TEST(SyscallAnswers, TwoAtOnceLeaveNothingBehind) {
  ASSERT_FALSE(KernelHasWarned());
  {
    Tracee tracee({"actor"});
    Device device = Device::Open();
    ASSERT_GT(device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_EXIT), {SYS_getpriority}),
              0);
    utrace_answer answer{};
    std::atomic<int> round{0};
    std::atomic<int> answered{0};
    std::thread other([&] {
      for (int seen = 0;;) {
        const int now = round;
        if (now < 0) return;
        if (now == seen) continue;
        seen = now;
        device.Answer(answer);
        answered = now;
      }
    });
    for (int i = 1; i <= 300; ++i) {
      tracee.Tell(CallLine(SYS_getpriority));
      answer = AnswerTo(device.Next());
      answer.flags = UTRACE_ANSWER_SET_RESULT;
      answer.result = i;
      round = i;
      device.Answer(answer);
      EXPECT_EQ(tracee.Hear(), std::to_string(i));
      while (answered != i) {
      }
    }
    round = -1;
    other.join();
  }
  usleep(300'000);
  EXPECT_FALSE(KernelHasWarned());
}

TEST_F(SyscallStop, OneCallAnswersAndWaitsForTheNext) {
  Arm(UTRACE_EVENT_SYSCALL);
  utrace_answer answer = AnswerTo(Trigger());
  answer.size = sizeof(answer);
  utrace_notice notice{};
  utrace_next next{};
  next.answer = reinterpret_cast<uintptr_t>(&answer);
  next.notices = reinterpret_cast<uintptr_t>(&notice);
  next.count = 1;
  next.timeout_ms = 10'000;
  ASSERT_EQ(device_.Call(UTRACE_IOC_NEXT, &next), 0);
  ASSERT_EQ(next.count, 1u);
  EXPECT_EQ(notice.event, UTRACE_EVENT(SYSCALL_EXIT));
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallStop, AFaultWhileReadingLosesNothing) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  tracee_.Tell(CallLine(SYS_getpriority));
  utrace_next next{};
  next.notices = 8;
  next.count = 1;
  next.timeout_ms = 10'000;
  EXPECT_EQ(device_.Call(UTRACE_IOC_NEXT, &next), -EFAULT);
  const utrace_notice notice = device_.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallStop, CallsOutsideTheSetPassUnheld) {
  Arm(UTRACE_EVENT_SYSCALL);
  EXPECT_EQ(tracee_.Ask(CallLine(SYS_getpid)), std::to_string(tracee_.pid()));
  EXPECT_EQ(device_.Next(0).type, 0u);
}

TEST_F(SyscallStop, RegistersOfAHeldThread) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Trigger();
  user_regs_struct registers{};
  utrace_regs regs{};
  regs.engine = engine_;
  regs.tid = notice.tid;
  regs.type = NT_PRSTATUS;
  regs.buf = reinterpret_cast<uintptr_t>(&registers);
  regs.len = sizeof(registers);
  ASSERT_EQ(device_.Call(UTRACE_IOC_REGS, &regs), 0);
  EXPECT_EQ(regs.len, sizeof(registers));
  EXPECT_EQ(registers.orig_rax, static_cast<unsigned long>(SYS_getpriority));
  EXPECT_EQ(registers.rdx, 0x33u);
  EXPECT_EQ(registers.rip, notice.ip);
  EXPECT_EQ(registers.rsp, notice.sp);

  registers.orig_rax = SYS_getpid;
  regs.flags = UTRACE_EXAMINE_WRITE;
  EXPECT_EQ(device_.Call(UTRACE_IOC_REGS, &regs), 0);
  regs.type = 0x1234;
  EXPECT_EQ(device_.Call(UTRACE_IOC_REGS, &regs), -EINVAL);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), std::to_string(tracee_.pid()));

  regs.flags = 0;
  regs.type = NT_PRSTATUS;
  EXPECT_EQ(device_.Call(UTRACE_IOC_REGS, &regs), -EINVAL) << "not held";
  regs.flags = UTRACE_EXAMINE_WRITE;
  EXPECT_EQ(device_.Call(UTRACE_IOC_REGS, &regs), -EINVAL);
}

TEST_F(SyscallStop, FloatingPointRegistersOfAHeldThread) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Trigger();
  for (const uint32_t type : {NT_PRFPREG, NT_X86_XSTATE}) {
    char state[16384];
    utrace_regs regs{};
    regs.engine = engine_;
    regs.tid = notice.tid;
    regs.type = type;
    regs.buf = reinterpret_cast<uintptr_t>(state);
    regs.len = sizeof(state);
    ASSERT_EQ(device_.Call(UTRACE_IOC_REGS, &regs), 0) << type;
    EXPECT_GE(regs.len, 512u);
    regs.flags = UTRACE_EXAMINE_WRITE;
    EXPECT_EQ(device_.Call(UTRACE_IOC_REGS, &regs), 0) << type;
  }
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(SyscallStop, MemoryOfAHeldThread) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Trigger();
  // More than one buffer of the device's; the stack is smaller, so start at the program's text.
  unsigned long word = 0;
  utrace_memory memory{};
  memory.engine = engine_;
  memory.tid = notice.tid;
  memory.addr = notice.sp;
  memory.buf = reinterpret_cast<uintptr_t>(&word);
  memory.len = sizeof(word);
  ASSERT_EQ(device_.Call(UTRACE_IOC_MEMORY, &memory), 0);
  EXPECT_EQ(memory.len, sizeof(word));
  unsigned long same = 0;
  iovec local{&same, sizeof(same)};
  iovec remote{reinterpret_cast<void*>(notice.sp), sizeof(same)};
  ASSERT_EQ(process_vm_readv(tracee_.pid(), &local, 1, &remote, 1, 0),
            static_cast<ssize_t>(sizeof(same)));
  EXPECT_EQ(word, same);

  memory.flags = UTRACE_EXAMINE_WRITE;
  memory.len = sizeof(word);
  EXPECT_EQ(device_.Call(UTRACE_IOC_MEMORY, &memory), 0);
  memory.flags = 0;
  memory.addr = 0;
  memory.len = sizeof(word);
  EXPECT_EQ(device_.Call(UTRACE_IOC_MEMORY, &memory), -EFAULT);
  EXPECT_EQ(device_.Resume(notice), 0);
  EXPECT_EQ(tracee_.Hear(), "20");
  memory.addr = notice.sp;
  memory.len = sizeof(word);
  EXPECT_EQ(device_.Call(UTRACE_IOC_MEMORY, &memory), -EINVAL) << "not held";
}

TEST_F(SyscallStop, KilledAtTheEntryTheCallIsNotRun) {
  Arm(UTRACE_EVENT(SYSCALL_ENTRY));
  const utrace_notice notice = Trigger();
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
  const utrace_notice gone = device_.Next();
  EXPECT_EQ(gone.type, UTRACE_NOTICE_GONE) << ToString(gone);
  EXPECT_EQ(gone.reason, UTRACE_GONE_DEATH);
  EXPECT_EQ(gone.result, SIGKILL);
  EXPECT_EQ(gone.tid, notice.tid);
  EXPECT_EQ(device_.Resume(notice), -ESRCH);
  EXPECT_EQ(device_.Next(0).type, 0u);
  EXPECT_TRUE(device_.List().empty());
}

}  // namespace
}  // namespace utrace::test
