// SPDX-License-Identifier: Apache-2.0
// What the device refuses, whatever it is asked.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

struct CallCase {
  const char* name;
  unsigned long request;
  uint32_t size;
  // Refused as a whole, before anything in it is looked at: what a call with nothing but
  // zeroes gives.
  int empty;
};

class EveryCall : public testing::TestWithParam<CallCase> {
 protected:
  int Call(uint32_t size) {
    memcpy(bytes_, &size, sizeof(size));
    return device_.Raw(GetParam().request, bytes_);
  }
  Device device_ = Device::Open();
  alignas(8) char bytes_[16384] = {};
};

INSTANTIATE_TEST_SUITE_P(
    Abi, EveryCall,
    testing::Values(CallCase{"Features", UTRACE_IOC_FEATURES, sizeof(utrace_features), 0},
                    CallCase{"Attach", UTRACE_IOC_ATTACH, sizeof(utrace_attach), -ESRCH},
                    CallCase{"SetEvents", UTRACE_IOC_SET_EVENTS, sizeof(utrace_set_events), -ESRCH},
                    CallCase{"SyscallSet", UTRACE_IOC_SYSCALL_SET, sizeof(utrace_syscall_set),
                             -ESRCH},
                    CallCase{"Control", UTRACE_IOC_CONTROL, sizeof(utrace_control), -ESRCH},
                    CallCase{"Barrier", UTRACE_IOC_BARRIER, sizeof(utrace_barrier), -ESRCH},
                    CallCase{"Answer", UTRACE_IOC_ANSWER, sizeof(utrace_answer), -EINVAL},
                    CallCase{"Next", UTRACE_IOC_NEXT, sizeof(utrace_next), -EINVAL},
                    CallCase{"Regs", UTRACE_IOC_REGS, sizeof(utrace_regs), -EINVAL},
                    CallCase{"Memory", UTRACE_IOC_MEMORY, sizeof(utrace_memory), -EINVAL},
                    CallCase{"List", UTRACE_IOC_LIST, sizeof(utrace_list), -EINVAL}),
    [](const auto& param) { return std::string(param.param.name); });

TEST_P(EveryCall, KnowsItsOwnSize) { EXPECT_EQ(Call(GetParam().size), GetParam().empty); }

TEST_P(EveryCall, TakesALargerStructureIfTheRestIsZero) {
  EXPECT_EQ(Call(GetParam().size + 8), GetParam().empty);
  EXPECT_EQ(Call(4096), GetParam().empty);
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

TEST_P(EveryCall, TakesAShorterStructure) { EXPECT_EQ(Call(8), GetParam().empty); }

TEST_P(EveryCall, RefusesUnknownFlags) {
  for (int bit = 8; bit < 32; ++bit) {
    const uint32_t flags = 1u << bit;
    memcpy(bytes_ + 4, &flags, sizeof(flags));
    EXPECT_EQ(Call(GetParam().size), -EINVAL) << bit;
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
  const uint32_t size = GetParam().size;
  memcpy(bytes_, &size, sizeof(size));
  const int error = reader.Raw(GetParam().request, bytes_);
  const bool looks = GetParam().request == UTRACE_IOC_FEATURES ||
                     GetParam().request == UTRACE_IOC_LIST ||
                     GetParam().request == UTRACE_IOC_CONTROL;
  EXPECT_EQ(error, looks ? GetParam().empty : -EBADF);
}

TEST(Abi, HasNoOtherCalls) {
  Device device = Device::Open();
  char bytes[4096] = {};
  EXPECT_EQ(device.Raw(UTRACE_IOC_LIST + 1, bytes), -ENOTTY);
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
  EXPECT_EQ(device.Attach(tracee.pid(), 1u << 8), -EINVAL);
  EXPECT_EQ(device.Attach(tracee.pid(), UTRACE_EVENT(REAP)), -EINVAL);
  const int64_t engine = device.Attach(tracee.pid(), 0);
  ASSERT_GT(engine, 0);
  EXPECT_EQ(device.SetEvents(engine, 0, 1u << 8), -EINVAL);
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
