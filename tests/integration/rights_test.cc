// SPDX-License-Identifier: Apache-2.0
// Who may attach to whom: what ptrace would allow, asked of both in one go.  And those who trace
// each other, or out of a pid namespace.
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/identity.h"

namespace utrace::test {
namespace {

using Become = std::function<bool()>;

bool Undumpable(bool became) { return became && prctl(PR_SET_DUMPABLE, 0) == 0; }

const Become kTracers[] = {
    [] { return true; },                                             // root
    [] { return DropCapability(CAP_SYS_PTRACE); },                   // root without it
    [] { return BecomeUser(kNobody); },                              // a user
    [] { return BecomeUser(kNobody, {CAP_SYS_PTRACE}); },            // with it
    [] { return BecomeUser(kNobody) && BecomeRootOfANamespace(); },  // in his own
};

const Become kTargets[] = {
    [] { return true; },                                             // root's
    [] { return BecomeUser(kNobody); },                              // the user's own
    [] { return Undumpable(BecomeUser(kNobody)); },                  // locked by itself
    [] { return BecomeUser(kNobody, {CAP_NET_ADMIN}); },             // with more than he has
    [] { return BecomeUser(kNobody) && BecomeRootOfANamespace(); },  // in a namespace that he made
    [] { return BecomeUser(kSomebody); },                            // another's
    [] { return BecomeUser(kSomebody) && BecomeRootOfANamespace(); },
    // Whom its one id would make the user's own, and the others not.
    [] {
      return setresgid(kNobody, kNobody, kNobody) == 0 &&
             setresuid(kNobody, kNobody, kSomebody) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
    },
    // Whom anybody may trace, as far as Yama goes.
    [] { return BecomeUser(kNobody) && prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY) == 0; },
};

// A process that became somebody and waits.
class Target {
 public:
  explicit Target(const Become& become)
      : fork_([&] {
          char said = become() ? 'y' : 'n';
          if (write(ready_[1], &said, 1) != 1) return 1;
          for (;;) pause();
        }) {
    char said = '\0';
    if (read(ready_[0], &said, 1) != 1) said = '\0';
    became_ = said == 'y';
    close(ready_[0]);
    close(ready_[1]);
  }
  pid_t pid() const { return fork_.pid(); }
  bool became() const { return became_; }

 private:
  std::array<int, 2> ready_ = [] {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    return ends;
  }();
  Fork fork_;
  bool became_ = false;
};

// What the two say to the caller: '+' and '-' if they agree, 'u' or 'p' who alone allows it, '?'
// on any other error.
char Asked(pid_t target) {
  Device device = Device::Open();
  const int64_t engine = device.Attach(target, 0);
  device.Close();
  const int seized = ptrace(PTRACE_SEIZE, target, nullptr, nullptr) == 0 ? 0 : -errno;
  if ((engine < 0 && engine != -EPERM) || (seized != 0 && seized != -EPERM)) return '?';
  if ((engine > 0) != (seized == 0)) return engine > 0 ? 'u' : 'p';
  return engine > 0 ? '+' : '-';
}

char AskedBy(const Become& tracer, pid_t target) {
  Fork asker([&] { return tracer() ? Asked(target) : '!'; });
  const int status = asker.Wait();
  return WIFEXITED(status) ? static_cast<char>(WEXITSTATUS(status)) : '!';
}

// One line a tracer, one column a target; then what he says of a child of his own.
std::string Matrix() {
  std::vector<Target> targets(std::begin(kTargets), std::end(kTargets));
  std::string matrix;
  for (const Target& target : targets) EXPECT_TRUE(target.became());
  for (const Become& tracer : kTracers) {
    matrix += '\n';
    for (const Target& target : targets) matrix += AskedBy(tracer, target.pid());
    matrix += ' ';
    Fork parent([&] {
      if (!tracer()) return '!';
      const Target child([] { return true; });
      return Asked(child.pid());
    });
    const int status = parent.Wait();
    matrix += WIFEXITED(status) ? static_cast<char>(WEXITSTATUS(status)) : '!';
  }
  return matrix;
}

TEST(Rights, AsPtraceHasThem) {
  const YamaScope restored;
  YamaScope::Set(0);
  EXPECT_EQ(Matrix(),
            "\n+++++++++ +"
            "\n--------- +"
            "\n-+--+---+ +"
            "\n+++++++++ +"
            "\n--------- +");
}

TEST(Rights, AsPtraceHasThemOfOnesOwnOffspring) {
  const YamaScope restored;
  YamaScope::Set(1);
  EXPECT_EQ(Matrix(),
            "\n+++++++++ +"
            "\n--------- +"
            "\n----+---+ +"
            "\n+++++++++ +"
            "\n--------- +");
}

TEST(Rights, AsPtraceHasThemByCapabilityAlone) {
  const YamaScope restored;
  YamaScope::Set(2);
  EXPECT_EQ(Matrix(),
            "\n+++++++++ +"
            "\n--------- -"
            "\n----+---- -"
            "\n+++++++++ +"
            "\n--------- +");
}

// Bytes of memory at its stack, or -errno.
int64_t ReadStack(Device* device, uint64_t engine, pid_t tid) {
  user_regs_struct regs{};
  const int error = device->Regs(engine, tid, &regs);
  if (error != 0) return -1000 + error;
  uint64_t word = 0;
  utrace_memory memory{};
  memory.engine = engine;
  memory.tid = tid;
  memory.addr = regs.rsp;
  memory.buf = reinterpret_cast<uintptr_t>(&word);
  memory.len = sizeof word;
  const int read = device->Call(UTRACE_IOC_MEMORY, &memory);
  return read == 0 ? static_cast<int64_t>(memory.len) : read;
}

// What it gives before and after the program has locked itself: 8 8, or 8 and -EPERM.
class LocksItself : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Rights, LocksItself, testing::Bool());

TEST_P(LocksItself, ItsMemoryIsForTheCapable) {
  const bool capable = GetParam();
  const std::vector<int> kept = capable ? std::vector<int>{CAP_SYS_PTRACE} : std::vector<int>{};
  Fork user([&] {
    if (!BecomeUser(kNobody, kept)) return 1;
    Tracee tracee({"actor"});
    Device device = Device::Open();
    const int64_t engine =
        device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_prctl, SYS_getppid});
    if (engine < 0) return 2;
    tracee.Tell("call " + std::to_string(SYS_prctl) + " " + std::to_string(PR_SET_DUMPABLE) + " 0");
    const utrace_notice before = device.Next();
    if (before.nr != SYS_prctl) return 3;
    if (ReadStack(&device, engine, tracee.pid()) != 8) return 4;
    if (device.Resume(before) != 0 || tracee.Hear() != "0") return 5;
    tracee.Tell("call " + std::to_string(SYS_getppid));
    const utrace_notice after = device.Next();
    if (after.nr != SYS_getppid) return 6;
    if (ReadStack(&device, engine, tracee.pid()) != (capable ? 8 : -EPERM)) return 7;
    return device.Resume(after) != 0 || tracee.Hear() == "" ? 8 : 0;
  });
  EXPECT_EQ(user.Wait(20'000), 0);
}

// Nothing of one's own: a thread that waits for itself would wait for ever.
TEST(Rights, NobodyAttachesToHisOwnProcess) {
  Device device = Device::Open();
  EXPECT_EQ(device.Attach(getpid(), 0), -EPERM);
  EXPECT_EQ(device.Attach(getpid(), 0, UTRACE_TARGET_GROUP), -EPERM);
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  EXPECT_EQ(device.Attach(pidfd, 0, UTRACE_TARGET_PIDFD), -EPERM);
  close(pidfd);
}

// Init goes on as before: that it is held, and let go, is all that happens to it.
TEST(Rights, RootMayHoldInit) {
  Device device = Device::Open();
  const int64_t engine = device.Attach(1, 0);
  ASSERT_GT(engine, 0);
  const int stopped = device.Control(engine, 1, UTRACE_STOP);
  EXPECT_TRUE(stopped == 0 || stopped == -EINPROGRESS) << stopped;
  EXPECT_EQ(device.Control(engine, 1, UTRACE_INTERRUPT), 0);
  const utrace_notice held = device.Next();
  EXPECT_EQ(held.type, UTRACE_NOTICE_STOPPED);
  EXPECT_EQ(StateOf(1), 't');
  EXPECT_EQ(device.Control(engine, 1, UTRACE_DETACH), 0);
  EXPECT_TRUE(Eventually([] { return StateOf(1) == 'S'; }));
}

// Tracers that hold each other: nobody moves, and nobody is beyond SIGKILL.
class Mutual : public testing::TestWithParam<uint32_t> {
 protected:
  static constexpr int kRing = 3;

  void SetUp() override {
    ASSERT_EQ(pipe(said_), 0);
    for (auto& end : ends_) ASSERT_EQ(pipe(end), 0);
  }
  void TearDown() override {
    for (auto& end : ends_) {
      close(end[0]);
      close(end[1]);
    }
    close(said_[0]);
    close(said_[1]);
  }
  // Attaches to the one it is told of; told so again it gets to where it is held itself.
  Fork Tracer(int self) {
    return Fork([this, self] {
      Device device = Device::Open();
      pid_t next = 0;
      if (read(ends_[self][0], &next, sizeof next) != sizeof next) return 1;
      if (device.AttachForCalls(next, GetParam(), {SYS_getpriority}) < 0) return 2;
      if (write(said_[1], "a", 1) != 1) return 3;
      if (read(ends_[self][0], &next, sizeof next) != sizeof next) return 4;
      syscall(SYS_getpriority, 0, 0);
      // With the session open.
      _exit(5);
      return 0;
    });
  }
  void Tell(int tracer, pid_t next) {
    ASSERT_EQ(write(ends_[tracer][1], &next, sizeof next), ssize_t{sizeof next});
  }

  int ends_[kRing][2];
  int said_[2];
};

INSTANTIATE_TEST_SUITE_P(Rights, Mutual,
                         testing::Values(UTRACE_EVENT(SYSCALL_ENTRY), UTRACE_EVENT(SYSCALL_EXIT),
                                         UTRACE_EVENT(EXIT)));

TEST_P(Mutual, ARingOfTracersIsNotBeyondSigkill) {
  Fork tracers[kRing] = {Tracer(0), Tracer(1), Tracer(2)};
  char byte;
  for (int i = 0; i < kRing; ++i) {
    Tell(i, tracers[(i + 1) % kRing].pid());
    ASSERT_EQ(read(said_[0], &byte, 1), 1);
  }
  for (int i = 0; i < kRing; ++i) Tell(i, 0);
  for (const Fork& tracer : tracers)
    EXPECT_TRUE(Eventually([&] { return StateOf(tracer.pid()) == 't'; })) << tracer.pid();
  // With each one that ends the one that it holds goes on.
  kill(tracers[0].pid(), SIGKILL);
  EXPECT_EQ(tracers[0].Wait(), SIGKILL);
  EXPECT_EQ(tracers[1].Wait(), 5 << 8);
  EXPECT_EQ(tracers[2].Wait(), 5 << 8);
  EXPECT_TRUE(Eventually([] { return Device::Open(O_RDONLY).List().empty(); }));
}

// All numbers are those of the tracer's own namespace, and who has none there is nobody's target.
TEST(Rights, NumbersAreThoseOfOnesOwnPidNamespace) {
  const int outside = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  const pid_t stranger = getpid();
  Fork maker([&] {
    if (unshare(CLONE_NEWPID) != 0) return 1;
    Fork init([&] {
      Tracee tracee({"actor"});
      if (getpid() != 1 || tracee.pid() != 2) return 2;
      Device device = Device::Open();
      if (device.Attach(stranger, 0) != -ESRCH) return 3;
      if (device.Attach(outside, 0, UTRACE_TARGET_PIDFD) != -ESRCH) return 4;
      const int64_t engine = device.AttachForCalls(2, UTRACE_EVENT(SYSCALL_ENTRY), {SYS_getppid});
      if (engine < 0) return 5;
      tracee.Tell("call " + std::to_string(SYS_getppid));
      const utrace_notice held = device.Next();
      if (held.type != UTRACE_NOTICE_HELD || held.tid != 2 || held.tgid != 2) return 6;
      const std::vector<utrace_info> infos = device.List();
      if (infos.size() != 1 || infos[0].tid != 2 || infos[0].owner != 1) return 7;
      if (device.Resume(held) != 0 || tracee.Hear() != "1") return 8;
      if (device.SetEvents(engine, 0, UTRACE_EVENT(CLONE)) != 0) return 10;
      tracee.Tell("fork");
      const utrace_notice parent = device.Next();
      if (parent.event != UTRACE_EVENT(CLONE) || parent.result != 3) return 11;
      if (device.Resume(parent) != 0 || tracee.Hear() != "3") return 12;
      return 0;
    });
    const int status = init.Wait(20'000);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
  });
  EXPECT_EQ(maker.Wait(30'000), 0);
  close(outside);
}

}  // namespace
}  // namespace utrace::test
