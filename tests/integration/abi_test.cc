// SPDX-License-Identifier: Apache-2.0
// What the device refuses, whatever it is asked.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

struct Field {
  const char* name;
  size_t offset;
  uint32_t value;
};

// A call that is good in itself, on an engine there is not.
struct CallCase {
  const char* name;
  unsigned long request;
  uint32_t size;
  // What a call of nothing but its size gives, and what the good one gives.
  int empty;
  int good;
  std::vector<Field> fields;
  // What nobody may set (yet): flags, reserved fields, results that are not input.
  uint32_t known_flags;
  std::vector<Field> refused;
};

#define FIELD(type, field, value) \
  Field { #field, offsetof(type, field), value }

std::vector<CallCase> EveryCallThereIs() {
  return {
      {"Features", UTRACE_IOC_FEATURES, sizeof(utrace_features), 0, 0, {}, 0, {}},
      {"Attach",
       UTRACE_IOC_ATTACH,
       sizeof(utrace_attach),
       -ESRCH,
       -ESRCH,
       {FIELD(utrace_attach, target, 0x7fffffff)},
       UTRACE_TARGET_FLAGS_ALL,
       {FIELD(utrace_attach, reserved, 1), FIELD(utrace_attach, events, UTRACE_EVENT(REAP)),
        FIELD(utrace_attach, events, UTRACE_EVENTS_ALL + 1)}},
      {"SetEvents",
       UTRACE_IOC_SET_EVENTS,
       sizeof(utrace_set_events),
       -ESRCH,
       -ESRCH,
       {FIELD(utrace_set_events, engine, 0x7fffffff), FIELD(utrace_set_events, tid, 1)},
       0,
       {FIELD(utrace_set_events, tid, 0x80000000)}},
      {"SyscallSet",
       UTRACE_IOC_SYSCALL_SET,
       sizeof(utrace_syscall_set),
       -ESRCH,
       -ESRCH,
       {FIELD(utrace_syscall_set, engine, 0x7fffffff)},
       0,
       {}},
      {"Control",
       UTRACE_IOC_CONTROL,
       sizeof(utrace_control),
       -ESRCH,
       -ESRCH,
       {FIELD(utrace_control, engine, 0x7fffffff), FIELD(utrace_control, action, UTRACE_RESUME)},
       UTRACE_CONTROL_FOREIGN,
       {FIELD(utrace_control, action, 3), FIELD(utrace_control, action, 7),
        FIELD(utrace_control, tid, 0x80000000), FIELD(utrace_control, affected, 1),
        FIELD(utrace_control, held_by_others, 1)}},
      {"Barrier",
       UTRACE_IOC_BARRIER,
       sizeof(utrace_barrier),
       -ESRCH,
       -ESRCH,
       {FIELD(utrace_barrier, engine, 0x7fffffff), FIELD(utrace_barrier, tid, 1)},
       0,
       {FIELD(utrace_barrier, reserved, 1), FIELD(utrace_barrier, tid, 0x80000000)}},
      {"Inject",
       UTRACE_IOC_INJECT,
       sizeof(utrace_inject),
       -EINVAL,
       -ESRCH,
       {FIELD(utrace_inject, engine, 0x7fffffff), FIELD(utrace_inject, tid, 1)},
       0,
       {FIELD(utrace_inject, reserved, 1), FIELD(utrace_inject, tid, 0)}},
      {"Answer",
       UTRACE_IOC_ANSWER,
       sizeof(utrace_answer),
       -EINVAL,
       -ESRCH,
       {FIELD(utrace_answer, engine, 0x7fffffff), FIELD(utrace_answer, seq, 2),
        FIELD(utrace_answer, tid, 1), FIELD(utrace_answer, action, UTRACE_RESUME)},
       UTRACE_ANSWER_FLAGS_ALL,
       {FIELD(utrace_answer, reserved, 1), FIELD(utrace_answer, tid, 0),
        FIELD(utrace_answer, seq, 0), FIELD(utrace_answer, action, UTRACE_STOP),
        FIELD(utrace_answer, action, UTRACE_RESUME | 0x60),
        FIELD(utrace_answer, action, UTRACE_RESUME | 0x200)}},
      {"Next",
       UTRACE_IOC_NEXT,
       sizeof(utrace_next),
       -EINVAL,
       0,
       {FIELD(utrace_next, count, 1)},
       0,
       {FIELD(utrace_next, reserved, 1), FIELD(utrace_next, count, 0),
        FIELD(utrace_next, timeout_ms, static_cast<uint32_t>(-2)),
        FIELD(utrace_next, notice_size, 48), FIELD(utrace_next, notice_size, 129),
        FIELD(utrace_next, notice_size, 4104), FIELD(utrace_next, count, 0x80000000)}},
      {"Regs",
       UTRACE_IOC_REGS,
       sizeof(utrace_regs),
       -EINVAL,
       -ESRCH,
       {FIELD(utrace_regs, engine, 0x7fffffff), FIELD(utrace_regs, tid, 1),
        FIELD(utrace_regs, len, 8)},
       UTRACE_EXAMINE_WRITE,
       {FIELD(utrace_regs, reserved, 1), FIELD(utrace_regs, tid, 0), FIELD(utrace_regs, len, 0)}},
      {"Memory",
       UTRACE_IOC_MEMORY,
       sizeof(utrace_memory),
       -EINVAL,
       -ESRCH,
       {FIELD(utrace_memory, engine, 0x7fffffff), FIELD(utrace_memory, tid, 1),
        FIELD(utrace_memory, len, 8)},
       UTRACE_EXAMINE_WRITE,
       {FIELD(utrace_memory, reserved, 1), FIELD(utrace_memory, tid, 0)}},
      {"List",
       UTRACE_IOC_LIST,
       sizeof(utrace_list),
       -EINVAL,
       0,
       {FIELD(utrace_list, entry_size, sizeof(utrace_info))},
       0,
       {FIELD(utrace_list, reserved, 1), FIELD(utrace_list, tgid, 0x80000000),
        FIELD(utrace_list, entry_size, 0), FIELD(utrace_list, entry_size, 73),
        FIELD(utrace_list, entry_size, 4104)}},
  };
}

class EveryCall : public testing::TestWithParam<CallCase> {
 protected:
  EveryCall() { Reset(); }

  // The good call, and nothing else.
  void Reset() {
    memset(bytes_, 0, sizeof(bytes_));
    for (const Field& field : GetParam().fields) Set(field.offset, field.value);
  }
  void Set(size_t offset, uint32_t value) { memcpy(bytes_ + offset, &value, sizeof(value)); }
  int Call(uint32_t size) {
    Set(0, size);
    return device_.Raw(GetParam().request, bytes_);
  }
  Device device_ = Device::Open();
  alignas(8) char bytes_[16384];
};

INSTANTIATE_TEST_SUITE_P(Abi, EveryCall, testing::ValuesIn(EveryCallThereIs()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(EveryCall, KnowsItsOwnSize) { EXPECT_EQ(Call(GetParam().size), GetParam().good); }

TEST_P(EveryCall, TakesALargerStructureIfTheRestIsZero) {
  EXPECT_EQ(Call(GetParam().size + 8), GetParam().good);
  Reset();  // what came back is not what goes in
  EXPECT_EQ(Call(4096), GetParam().good);
}

TEST_P(EveryCall, RefusesALargerStructureIfTheRestIsNot) {
  bytes_[GetParam().size + 7] = 1;
  EXPECT_EQ(Call(GetParam().size + 8), -E2BIG);
}

TEST_P(EveryCall, RefusesSizesOutOfAllReason) {
  EXPECT_EQ(Call(0), -EINVAL);
  EXPECT_EQ(Call(7), -EINVAL);
  EXPECT_EQ(Call(4097), -E2BIG);
  EXPECT_EQ(Call(0xffffffff), -E2BIG);
}

// What is beyond counts as zero, whatever is there.
TEST_P(EveryCall, TakesAShorterStructure) { EXPECT_EQ(Call(8), GetParam().empty); }

TEST_P(EveryCall, RefusesUnknownFlags) {
  for (int bit = 0; bit < 32; ++bit) {
    const uint32_t flag = 1u << bit;
    if (flag & GetParam().known_flags) continue;
    Set(4, flag);
    EXPECT_EQ(Call(GetParam().size), -EINVAL) << bit;
  }
}

TEST_P(EveryCall, RefusesWhatMeansNothing) {
  for (const Field& field : GetParam().refused) {
    Reset();
    Set(field.offset, field.value);
    EXPECT_EQ(Call(GetParam().size), -EINVAL) << field.name << " " << field.value;
  }
}

TEST_P(EveryCall, SaysWhenItCannotReadTheStructure) {
  EXPECT_EQ(device_.Raw(GetParam().request, nullptr), -EFAULT);
  // The size can be read, the rest cannot.
  const long page = sysconf(_SC_PAGESIZE);
  char* pages = static_cast<char*>(
      mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  ASSERT_EQ(mprotect(pages + page, page, PROT_NONE), 0);
  const uint32_t size = GetParam().size;
  memcpy(pages + page - 4, &size, sizeof(size));
  EXPECT_EQ(device_.Raw(GetParam().request, pages + page - 4), -EFAULT);
  munmap(pages, 2 * page);
}

TEST_P(EveryCall, RefusesAnotherThreadGroup) {
  Fork child([this] { return -Call(GetParam().size); });
  EXPECT_EQ(child.Wait(), EPERM << 8);
}

TEST_P(EveryCall, OnlyLooksWhenOpenedForReading) {
  Device reader = Device::Open(O_RDONLY);
  Set(0, GetParam().size);
  const int error = reader.Raw(GetParam().request, bytes_);
  const bool looks = GetParam().request == UTRACE_IOC_FEATURES ||
                     GetParam().request == UTRACE_IOC_LIST ||
                     GetParam().request == UTRACE_IOC_CONTROL;
  EXPECT_EQ(error, looks ? GetParam().good : -EBADF);
}

TEST(Abi, HasNoOtherCalls) {
  Device device = Device::Open();
  char bytes[4096] = {};
  EXPECT_EQ(device.Raw(UTRACE_IOC_INJECT + 1, bytes), -ENOTTY);
  EXPECT_EQ(device.Raw(UTRACE_IOC_FEATURES | 0xff, bytes), -ENOTTY);
  EXPECT_EQ(device.Raw(FIONREAD, bytes), -ENOTTY) << "another driver's";
  const unsigned long sized = 4ul << _IOC_SIZESHIFT | 1ul << _IOC_DIRSHIFT;
  EXPECT_EQ(device.Raw(UTRACE_IOC_FEATURES | sized, bytes), -ENOTTY);
}

TEST(Abi, SmokeTellsItsFeatures) {
  Device device = Device::Open();
  utrace_features features{};
  ASSERT_EQ(device.Call(UTRACE_IOC_FEATURES, &features), 0);
  EXPECT_EQ(features.abi, static_cast<uint32_t>(UTRACE_ABI_VERSION));
  EXPECT_EQ(features.events, UTRACE_EVENTS_ALL);
  EXPECT_EQ(features.target_flags, UTRACE_TARGET_FLAGS_ALL);
  EXPECT_EQ(features.signal_actions, 0x3fu);
  EXPECT_GT(strlen(features.version), 0u);
  EXPECT_GT(features.hooks, 0u);
  EXPECT_NE(strstr(features.hook_names, "wake_up_new_task"), nullptr);
}

TEST(Abi, ReadsWholeNoticesOnly) {
  Device device = Device::Open(O_RDWR | O_NONBLOCK);
  char bytes[sizeof(utrace_notice)];
  EXPECT_EQ(read(device.fd(), bytes, sizeof(bytes) - 1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(read(device.fd(), bytes, sizeof(bytes)), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(Abi, PollsAsReadyOnlyForItsOwner) {
  Device device = Device::Open();
  pollfd ready{device.fd(), POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0);
  Fork child([&] {
    pollfd foreign{device.fd(), POLLIN, 0};
    return poll(&foreign, 1, 0) == 1 && foreign.revents == POLLERR ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST(Abi, RefusesEventsThatCannotBeTold) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  EXPECT_EQ(device.Attach(tracee.pid(), UTRACE_EVENTS_ALL + 1), -EINVAL);
  EXPECT_EQ(device.Attach(tracee.pid(), UTRACE_EVENT(REAP)), -EINVAL);
  const int64_t engine = device.Attach(tracee.pid(), 0);
  ASSERT_GT(engine, 0);
  EXPECT_EQ(device.SetEvents(engine, 0, UTRACE_EVENTS_ALL + 1), -EINVAL);
  EXPECT_EQ(device.SetEvents(engine, 0, UTRACE_EVENT(REAP)), -EINVAL);
  EXPECT_EQ(device.Control(engine, tracee.pid(), 3), -EINVAL);
  EXPECT_EQ(device.Control(engine, tracee.pid(), 7), -EINVAL);
}

TEST(Abi, WaitsNoLongerThanAsked) {
  Device device = Device::Open();
  utrace_notice notice{};
  utrace_next next{};
  next.notices = reinterpret_cast<uintptr_t>(&notice);
  next.count = 1;
  next.timeout_ms = 20;
  EXPECT_EQ(device.Call(UTRACE_IOC_NEXT, &next), 0);
  EXPECT_EQ(next.count, 0u);
  next.count = 1;
  next.timeout_ms = -2;
  EXPECT_EQ(device.Call(UTRACE_IOC_NEXT, &next), -EINVAL);
}

}  // namespace
}  // namespace utrace::test
