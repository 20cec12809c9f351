// SPDX-License-Identifier: Apache-2.0
// Whoever owns engines may die at any moment, and however: his targets go on, whole.
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

bool Held(pid_t pid) { return StateOf(pid) == 't'; }

// Holds @pid, says so through @ready, and waits.
int HoldAndWait(Device* device, pid_t pid, int ready) {
  const int64_t engine = device->Attach(pid, 0, UTRACE_TARGET_GROUP);
  if (engine < 0) return 1;
  device->Control(static_cast<uint64_t>(engine), 0, UTRACE_STOP);
  if (device->Next().type != UTRACE_NOTICE_STOPPED) return 2;
  if (write(ready, "x", 1) != 1) return 3;
  for (;;) pause();
}

class OwnersDeath : public testing::Test {
 protected:
  OwnersDeath() { EXPECT_EQ(pipe(ready_), 0); }
  ~OwnersDeath() override {
    close(ready_[0]);
    close(ready_[1]);
  }
  void AwaitHold() {
    char byte;
    ASSERT_EQ(read(ready_[0], &byte, 1), 1);
    ASSERT_TRUE(Eventually([&] { return Held(tracee_.pid()); }));
  }
  // Free, and nobody's.
  void ExpectFree() {
    EXPECT_TRUE(Runs(tracee_.pid()));
    EXPECT_TRUE(Eventually([&] { return Device::Open(O_RDONLY).List().empty(); }));
  }

  Tracee tracee_{{"spinner", "2"}};
  int ready_[2];
};

TEST_F(OwnersDeath, SmokeCloseLetsGo) {
  Device device = Device::Open();
  const int64_t engine = device.Attach(tracee_.pid(), 0, UTRACE_TARGET_GROUP);
  device.Control(engine, 0, UTRACE_STOP);
  ASSERT_TRUE(Eventually([&] { return Held(tracee_.pid()); }));
  device.Close();
  ExpectFree();
}

TEST_F(OwnersDeath, SmokeKilled) {
  Fork owner([&] {
    Device device = Device::Open();
    return HoldAndWait(&device, tracee_.pid(), ready_[1]);
  });
  AwaitHold();
  kill(owner.pid(), SIGKILL);
  EXPECT_EQ(owner.Wait(), SIGKILL);
  ExpectFree();
}

TEST_F(OwnersDeath, KilledWhileAChildHasACopyOfTheFile) {
  int answer[2];
  ASSERT_EQ(pipe(answer), 0);
  Fork owner([&] {
    Device device = Device::Open();
    const pid_t parent = getpid();
    if (fork() == 0) {
      // The copy is a foreigner's while the owner lives, and nobody's when he is dead.
      utrace_features features{};
      while (device.Call(UTRACE_IOC_FEATURES, &features) == -EPERM) usleep(2000);
      const int error = device.Call(UTRACE_IOC_FEATURES, &features);
      const bool orphan = getppid() != parent;
      _exit(write(answer[1], &error, sizeof(error)) == sizeof(error) && orphan ? 0 : 1);
    }
    return HoldAndWait(&device, tracee_.pid(), ready_[1]);
  });
  AwaitHold();
  kill(owner.pid(), SIGKILL);
  EXPECT_EQ(owner.Wait(), SIGKILL);
  ExpectFree();
  int error = 0;
  EXPECT_EQ(read(answer[0], &error, sizeof(error)), static_cast<ssize_t>(sizeof(error)));
  EXPECT_EQ(error, -EOWNERDEAD);
  close(answer[0]);
  close(answer[1]);
}

TEST_F(OwnersDeath, KilledWhileTheFileIsInFlightInASocket) {
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  Fork owner([&] {
    Device device = Device::Open();
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = device.fd();
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    if (sendmsg(sockets[0], &message, 0) != 1) return 9;
    return HoldAndWait(&device, tracee_.pid(), ready_[1]);
  });
  AwaitHold();
  kill(owner.pid(), SIGKILL);
  EXPECT_EQ(owner.Wait(), SIGKILL);
  ExpectFree();
  close(sockets[0]);
  close(sockets[1]);
}

TEST_F(OwnersDeath, DumpsCore) {
  std::ofstream("/proc/sys/kernel/core_pattern") << "/tmp/core" << std::endl;
  Fork owner([&] {
    rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &unlimited);
    Device device = Device::Open();
    return HoldAndWait(&device, tracee_.pid(), ready_[1]);
  });
  AwaitHold();
  kill(owner.pid(), SIGSEGV);
  EXPECT_EQ(owner.Wait() & 0x7f, SIGSEGV);
  ExpectFree();
}

// One of two dies: his hold is gone, the other's stands.
TEST_F(OwnersDeath, LeavesTheOthersHold) {
  Device survivor = Device::Open();
  const int64_t engine = survivor.Attach(tracee_.pid(), 0, UTRACE_TARGET_GROUP);
  Fork owner([&] {
    Device device = Device::Open();
    return HoldAndWait(&device, tracee_.pid(), ready_[1]);
  });
  AwaitHold();
  survivor.Control(engine, 0, UTRACE_STOP);
  kill(owner.pid(), SIGKILL);
  EXPECT_EQ(owner.Wait(), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return survivor.List(tracee_.pid()).size() == 2; }));
  const long before = TicksOf(tracee_.pid());
  usleep(500'000);
  EXPECT_EQ(TicksOf(tracee_.pid()), before);
  EXPECT_EQ(survivor.Control(engine, 0, UTRACE_RESUME), 0);
  EXPECT_TRUE(Runs(tracee_.pid()));
}

// The owner is his group: that its leader ends is not his death.
TEST_F(OwnersDeath, ALeaderThatEndsBeforeItsThreadsIsNotTheOwnersDeath) {
  Fork owner([&] {
    Device device = Device::Open();
    std::thread holder([&] { HoldAndWait(&device, tracee_.pid(), ready_[1]); });
    syscall(SYS_exit, 0);
    return 0;
  });
  AwaitHold();
  ASSERT_TRUE(Eventually([&] { return StateOf(owner.pid()) == 'Z'; }));
  const long before = TicksOf(tracee_.pid());
  usleep(500'000);
  EXPECT_EQ(TicksOf(tracee_.pid()), before);
  kill(owner.pid(), SIGKILL);
  owner.Wait();
  ExpectFree();
}

TEST(Brake, ReleasesEverybodyAtOnce) {
  Tracee one({"spinner"});
  Tracee two({"spinner", "3"});
  Device first = Device::Open();
  Device second = Device::Open();
  const int64_t a = first.Attach(one.pid(), 0);
  const int64_t b = second.Attach(two.pid(), 0, UTRACE_TARGET_GROUP);
  first.Control(a, 0, UTRACE_STOP);
  second.Control(b, 0, UTRACE_STOP);
  ASSERT_TRUE(Eventually([&] { return Held(one.pid()) && Held(two.pid()); }));
  std::ofstream("/sys/class/misc/utrace/detach_all") << "1" << std::endl;
  EXPECT_TRUE(Runs(one.pid()));
  EXPECT_TRUE(Runs(two.pid()));
  utrace_notice notice = first.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_GONE);
  EXPECT_EQ(notice.reason, UTRACE_GONE_RELEASED);
  for (int i = 0; i < 3; ++i) {
    notice = second.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_GONE);
    EXPECT_EQ(notice.reason, UTRACE_GONE_RELEASED);
  }
  EXPECT_EQ(second.Next(0).type, 0u);
  EXPECT_EQ(first.Control(a, 0, UTRACE_DETACH), -ESRCH);
  EXPECT_TRUE(first.List().empty());
}

}  // namespace
}  // namespace utrace::test
