// SPDX-License-Identifier: Apache-2.0
// Engines in BPF, as the module tells them and takes what they decide.
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "include/uapi/utrace.h"
#include "tests/integration/debugger.h"
#include "tests/integration/device.h"
#include "tests/integration/engine_told.h"
#include "tests/integration/harness.h"
#include "tests/integration/identity.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/libutrace/bpf/engine_types.h"
#include "userspace/libutrace/brake.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;

std::string ObjectPath(const std::string& name) { return "/payload/engines/" + name + ".bpf.o"; }

class BpfEngine : public testing::Test {
 protected:
  // True where there are none: that is said, and is all that can be tested.
  static bool NotHere() {
    const absl::Status status = CheckTakesEngines();
    if (status.ok()) return false;
    EXPECT_THAT(status.message(), HasSubstr("6.9 or later"));
    return true;
  }

  std::unique_ptr<EngineObject> Loaded(const std::string& hold_at = "-1", bool leave = false) {
    absl::StatusOr<std::unique_ptr<EngineObject>> engine =
        EngineObject::Open(ObjectPath("recorder"));
    EXPECT_TRUE(engine.ok()) << engine.status();
    EXPECT_TRUE((*engine)->Set("hold_at", hold_at).ok());
    EXPECT_TRUE((*engine)->Set("leave", leave ? "true" : "false").ok());
    EXPECT_TRUE((*engine)->SetTarget(target_, children_).ok());
    const absl::Status loaded = (*engine)->Load();
    EXPECT_TRUE(loaded.ok()) << loaded;
    return *std::move(engine);
  }
  std::unique_ptr<EngineObject> Attached(const std::string& hold_at = "-1", bool leave = false) {
    std::unique_ptr<EngineObject> engine = Loaded(hold_at, leave);
    const absl::Status attached = engine->Attach();
    EXPECT_TRUE(attached.ok()) << attached;
    return engine;
  }

  // engines/recorder.bpf.c has the same.
  struct Told {
    unsigned long long events[32];
    unsigned long long last_signal;
    unsigned long long last_child;
    unsigned long long getppids;
    char last_path[64];
    long long fd_length;
    char fd_path[64];
  };
  // As it is now.
  static Told ToldTo(const EngineObject& engine) { return test::ToldTo<Told>(engine); }
  static unsigned long long Count(const EngineObject& engine, utrace_event event) {
    return ToldTo(engine).events[event];
  }

  int LetGo(Device* device, uint64_t engine, uint64_t seq) const {
    utrace_control control{};
    control.flags = UTRACE_CONTROL_FOREIGN;
    control.engine = engine;
    control.tid = tracee_.pid();
    control.action = UTRACE_RESUME;
    control.seq = seq;
    return device->Call(UTRACE_IOC_CONTROL, &control);
  }

  std::string Call(long nr, const std::string& args = "") {
    return tracee_.Ask("call " + std::to_string(nr) + " " + args);
  }

  bool children_ = false;
  Tracee tracee_{{"actor"}};
  pid_t target_ = tracee_.pid();
};

TEST_F(BpfEngine, SmokeIsToldOfEveryEvent) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached();
  EXPECT_EQ(Call(SYS_getpriority, "0 0"), "20");
  EXPECT_GT(Count(*engine, UTRACE_EVENT_BIT_SYSCALL_ENTRY), 0u);
  EXPECT_GT(Count(*engine, UTRACE_EVENT_BIT_SYSCALL_EXIT), 0u);
  const std::string child = tracee_.Ask("fork");
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_CLONE), 1u);
  EXPECT_EQ(std::to_string(ToldTo(*engine).last_child), child);
  // SIGCHLD, which it ignores.
  EXPECT_TRUE(Eventually([&] { return Count(*engine, UTRACE_EVENT_BIT_SIGNAL_IGN) == 1; }));
  EXPECT_EQ(ToldTo(*engine).last_signal, static_cast<unsigned>(SIGCHLD));
  tracee_.Kill(SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee_.pid()) == 'T'; }));
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_SIGNAL_STOP), 1u);
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_JCTL), 1u);
  tracee_.Kill(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return Count(*engine, UTRACE_EVENT_BIT_JCTL) == 2; }));
  EXPECT_EQ(tracee_.Ask("exec"), "ready");
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_EXEC), 1u);
  tracee_.Kill(SIGTERM);
  EXPECT_EQ(tracee_.Wait(), SIGTERM);
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_SIGNAL_TERM), 1u);
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_EXIT), 1u);
  // Both are told when its parent may have it already.
  EXPECT_TRUE(Eventually([&] { return Count(*engine, UTRACE_EVENT_BIT_REAP) == 1; }));
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_DEATH), 1u);
}

TEST_F(BpfEngine, ReadsTheMemoryOfItsThread) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached();
  // The dynamic linker's, of the program that runs next.
  EXPECT_EQ(tracee_.Ask("exec"), "ready");
  EXPECT_EQ(std::string(ToldTo(*engine).last_path).substr(0, 1), "/");
  EXPECT_EQ(Call(SYS_openat, "-100 0x10 0 0"), "-14");  // EFAULT: not to be read
  EXPECT_EQ(ToldTo(*engine).last_path[0], '\0');
}

TEST_F(BpfEngine, KnowsWhatADescriptorIs) {
  if (NotHere()) return;
  const TempFolder folder;
  const std::string file = folder.path() + "/" + std::string(20, 'f');
  const std::string deep = folder.path() + "/" + std::string(60, 'd');
  int begin[2];
  int done[2];
  ASSERT_EQ(pipe(begin) | pipe(done), 0);
  Fork caller([&] {
    const int fd = open(file.c_str(), O_CREAT | O_RDWR, 0600);
    const int other = open(deep.c_str(), O_CREAT | O_RDWR, 0600);
    char byte;
    for (const int which : {fd, fd, 999, other}) {
      if (read(begin[0], &byte, 1) != 1) return 1;
      fsync(which);
      unlink(file.c_str());
      if (write(done[1], "", 1) != 1) return 1;
    }
    return 0;
  });
  target_ = caller.pid();
  std::unique_ptr<EngineObject> engine = Attached();
  const auto next = [&] {
    char byte;
    if (write(begin[1], "", 1) != 1 || read(done[0], &byte, 1) != 1) return std::string("ended");
    const Told told = ToldTo(*engine);
    return std::to_string(told.fd_length) + " " + told.fd_path;
  };
  EXPECT_EQ(next(), std::to_string(file.size()) + " " + file);
  EXPECT_EQ(next(), std::to_string(file.size() + 10) + " " + file + " (deleted)");
  EXPECT_EQ(next(), "-9 ");
  EXPECT_EQ(next(), "-36 ");
  EXPECT_EQ(caller.Wait(), 0);
  // Of what has no path.
  engine.reset();
  target_ = tracee_.pid();
  engine = Attached();
  Call(SYS_fsync, "0");
  EXPECT_THAT(ToldTo(*engine).fd_path, testing::StartsWith("pipe:["));
}

TEST_F(BpfEngine, HoldsUntilItGoes) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached(std::to_string(UTRACE_EVENT_BIT_SYSCALL_ENTRY));
  tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
  EXPECT_EQ(tracee_.Hear(300), "");
  engine.reset();
  EXPECT_EQ(tracee_.Hear(), "20");
}

TEST_F(BpfEngine, ItsHoldsAreListedAndLetGoByNumber) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached(std::to_string(UTRACE_EVENT_BIT_SYSCALL_ENTRY));
  Device device = Device::Open(O_RDONLY);
  uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
    // Through the call in which it says what the last one gave, and that in which it hears this.
    utrace_info info{};
    do {
      ASSERT_TRUE(Eventually([&] {
        const std::vector<utrace_info> infos = device.List(tracee_.pid());
        if (infos.size() != 1) return false;
        info = infos[0];
        return (info.flags & UTRACE_INFO_ASLEEP) != 0 && info.seq > last;
      }));
      EXPECT_EQ(info.flags, static_cast<uint32_t>(UTRACE_INFO_BPF | UTRACE_INFO_HELD_REPORT |
                                                  UTRACE_INFO_ASLEEP));
      EXPECT_STREQ(info.owner_comm, "recorder");
      EXPECT_EQ(info.owner, 0);
      EXPECT_EQ(info.tid, tracee_.pid());
      EXPECT_EQ(info.event, UTRACE_EVENT(SYSCALL_ENTRY));
      EXPECT_GT(info.since_ns, 0u);
      // An old number lets nothing go, and one that is not yet is refused; nor is it a session's.
      EXPECT_EQ(last == 0 ? 0 : LetGo(&device, info.engine, last), 0);
      EXPECT_EQ(LetGo(&device, info.engine, info.seq + 2), -ERANGE);
      EXPECT_EQ(LetGo(&device, info.engine + 1, info.seq), -ESRCH);
      EXPECT_EQ(device.Control(info.engine, tracee_.pid(), UTRACE_RESUME), -ESRCH);
      EXPECT_EQ(StateOf(tracee_.pid()), 't');
      last = info.seq;
      ASSERT_EQ(LetGo(&device, info.engine, info.seq), 0);
    } while (info.nr != SYS_getpriority);
  }
  // Taken off, it holds nobody, and hears no more; who is born joins it no more.
  const uint64_t id = device.List(tracee_.pid()).at(0).engine;
  utrace_control off{};
  EXPECT_EQ(device.Foreign(id, 0, UTRACE_DETACH, &off), 0);
  EXPECT_EQ(off.affected, 1u);
  EXPECT_EQ(device.List().size(), 0u);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(tracee_.Hear(), "20");
  EXPECT_FALSE(tracee_.Ask("thread").empty());
  EXPECT_EQ(device.List().size(), 0u);
}

TEST_F(BpfEngine, AnotherUserNeitherLetsGoNorLearnsWhere) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached(std::to_string(UTRACE_EVENT_BIT_SYSCALL_ENTRY));
  tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
  ASSERT_TRUE(Eventually([this] { return StateOf(tracee_.pid()) == 't'; }));
  for (const bool may : {false, true}) {
    Fork user([this, may] {
      if (!BecomeUser(kNobody, may ? std::vector<int>{CAP_SYS_PTRACE} : std::vector<int>{}))
        return 1;
      Device device = Device::Open(O_RDONLY);
      const std::vector<utrace_info> infos = device.List(tracee_.pid());
      if (infos.size() != 1 || !(infos[0].flags & UTRACE_INFO_ASLEEP)) return 2;
      if ((infos[0].nr >= 0) != may) return 3;
      if (device.Foreign(infos[0].engine, 0, UTRACE_DETACH) != (may ? 0 : -EPERM)) return 4;
      return 0;
    });
    EXPECT_EQ(user.Wait(), 0);
    EXPECT_EQ(tracee_.Hear(may ? 10'000 : 300), may ? "20" : "");
  }
}

TEST_F(BpfEngine, ADebuggerGetsWhatItHoldsIfItSaysSo) {
  if (NotHere()) return;
  for (const bool over : {false, true}) {
    Tracee tracee{{"actor"}};
    target_ = tracee.pid();
    absl::StatusOr<std::unique_ptr<EngineObject>> catcher =
        EngineObject::Open(ObjectPath("crashcatch"));
    ASSERT_TRUE(catcher.ok()) << catcher.status();
    std::unique_ptr<EngineObject> engine;
    if (over) {
      ASSERT_TRUE((*catcher)->SetTarget(target_, false).ok());
      ASSERT_TRUE((*catcher)->Load().ok());
      ASSERT_TRUE((*catcher)->Attach().ok());
    } else {
      engine = Attached(std::to_string(UTRACE_EVENT_BIT_SIGNAL_CORE));
    }
    tracee.Kill(SIGSEGV);
    ASSERT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
    Debugger debugger(tracee.pid());
    debugger.Seize();
    debugger.Interrupt();
    EXPECT_EQ(debugger.Stop(over ? 10'000 : 300) != 0, over);
    tracee.Kill(SIGKILL);
  }
}

TEST_F(BpfEngine, WhatItHoldsIsKilled) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached(std::to_string(UTRACE_EVENT_BIT_SYSCALL_ENTRY));
  tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
  EXPECT_EQ(tracee_.Hear(300), "");
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
}

TEST_F(BpfEngine, TheBrakeEndsItsHoldsAndItHearsNoMore) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached(std::to_string(UTRACE_EVENT_BIT_SYSCALL_ENTRY));
  tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
  EXPECT_EQ(tracee_.Hear(300), "");
  ASSERT_TRUE(DetachEverything().ok());
  EXPECT_EQ(tracee_.Hear(), "20");
  const auto before = Count(*engine, UTRACE_EVENT_BIT_SYSCALL_ENTRY);
  EXPECT_EQ(Call(SYS_getpriority, "0 0"), "20");
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_SYSCALL_ENTRY), before);
}

TEST_F(BpfEngine, LeavesWhenItSaysSo) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine =
      Attached(std::to_string(UTRACE_EVENT_BIT_SYSCALL_ENTRY), true);
  EXPECT_EQ(Call(SYS_getpriority, "0 0"), "20");
  const auto before = Count(*engine, UTRACE_EVENT_BIT_SYSCALL_ENTRY);
  EXPECT_EQ(Call(SYS_getpriority, "0 0"), "20");
  EXPECT_EQ(Count(*engine, UTRACE_EVENT_BIT_SYSCALL_ENTRY), before);
}

// Orders of engines/conductor.bpf.c, which takes them from a call's first argument.
TEST_F(BpfEngine, ActsOnOtherThreads) {
  if (NotHere()) return;
  enum Order { kAttach = 70, kHoldMe, kResume, kStop, kResumeStopped, kArgument, kCall };
  absl::StatusOr<std::unique_ptr<EngineObject>> engine =
      EngineObject::Open(ObjectPath("conductor"));
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE((*engine)->SetTarget(tracee_.pid(), false).ok());
  const absl::Status loaded = (*engine)->Load();
  ASSERT_TRUE(loaded.ok()) << loaded;
  ASSERT_TRUE((*engine)->Attach().ok());
  Tracee other{{"actor"}};
  const auto order = [](Tracee* to, Order what, pid_t about = 0) {
    to->Tell("call " + std::to_string(SYS_getpriority) + " " + std::to_string(what) + " " +
             std::to_string(about));
  };
  const auto result = [&](Tracee* to, Order what, pid_t about = 0) {
    order(to, what, about);
    return to->Hear();
  };

  // The other is on its own until it is attached; a kernel thread is never.
  EXPECT_EQ(result(&other, kHoldMe), "-22");
  EXPECT_EQ(result(&tracee_, kResume, other.pid()), "-3");
  EXPECT_EQ(result(&tracee_, kStop, other.pid()), "-3");
  EXPECT_EQ(result(&tracee_, kAttach, 2), "-1");
  EXPECT_EQ(result(&tracee_, kAttach, other.pid()), "0");
  EXPECT_EQ(result(&tracee_, kAttach, other.pid()), "-17");
  // Each lets go of the other by the number of the hold.
  order(&other, kHoldMe);
  EXPECT_EQ(other.Hear(300), "");
  EXPECT_EQ(result(&tracee_, kResume, other.pid()), "0");
  EXPECT_EQ(other.Hear(), "-22");
  order(&tracee_, kHoldMe);
  EXPECT_EQ(tracee_.Hear(300), "");
  EXPECT_EQ(result(&other, kResume, tracee_.pid()), "0");
  EXPECT_EQ(tracee_.Hear(), "-22");
  // A stop from outside; its number answers it, and no later one.
  EXPECT_EQ(result(&tracee_, kStop, other.pid()), "0");
  order(&other, kArgument);
  EXPECT_EQ(other.Hear(300), "");
  EXPECT_EQ(result(&tracee_, kResumeStopped, other.pid()), "0");
  EXPECT_EQ(other.Hear(), "20");
  order(&other, kHoldMe);
  EXPECT_EQ(other.Hear(300), "");
  EXPECT_EQ(result(&tracee_, kResumeStopped, other.pid()), "0");
  EXPECT_EQ(other.Hear(300), "");
  EXPECT_EQ(result(&tracee_, kResume, other.pid()), "0");
  EXPECT_EQ(other.Hear(), "-22");
  EXPECT_EQ(result(&other, kCall), std::to_string(getpid()));
  other.Kill(SIGUSR1);
  EXPECT_EQ(other.Wait(), SIGTERM);
}

TEST_F(BpfEngine, FollowsThreadsAndWhereAskedChildren) {
  if (NotHere()) return;
  for (const bool children : {false, true}) {
    children_ = children;
    std::unique_ptr<EngineObject> engine = Attached();
    tracee_.Ask("thread");
    // The thread's: it alone has ended.
    EXPECT_TRUE(Eventually([&] { return Count(*engine, UTRACE_EVENT_BIT_EXIT) == 1; }));
    tracee_.Ask("fork");
    EXPECT_TRUE(
        Eventually([&] { return Count(*engine, UTRACE_EVENT_BIT_EXIT) == (children ? 2u : 1u); }));
    EXPECT_TRUE(
        Eventually([&] { return Count(*engine, UTRACE_EVENT_BIT_REAP) == (children ? 2u : 1u); }));
  }
}

TEST_F(BpfEngine, TwoAreOnOneThread) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> recorder = Attached();
  absl::StatusOr<std::unique_ptr<EngineObject>> other =
      EngineObject::Open(ObjectPath("faultinject"));
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)->Set("call", "getpriority").ok());
  ASSERT_TRUE((*other)->Set("error", "ENOSPC").ok());
  ASSERT_TRUE((*other)->SetTarget(tracee_.pid(), false).ok());
  ASSERT_TRUE((*other)->Load().ok());
  ASSERT_TRUE((*other)->Attach().ok());
  EXPECT_EQ(Call(SYS_getpriority, "0 0"), "-28");
  EXPECT_GT(Count(*recorder, UTRACE_EVENT_BIT_SYSCALL_ENTRY), 0u);
  other->reset();
  EXPECT_EQ(Call(SYS_getpriority, "0 0"), "20");
}

TEST_F(BpfEngine, IsReplacedWithoutAGap) {
  if (NotHere()) return;
  constexpr unsigned kCalls = 200'000;
  constexpr unsigned kEngines = 8;
  int begin[2];
  ASSERT_EQ(pipe(begin), 0);
  Fork caller([&] {
    char byte;
    if (read(begin[0], &byte, 1) != 1) return 1;
    for (unsigned i = 0; i < kCalls; ++i) syscall(SYS_getppid);
    return 0;
  });
  target_ = caller.pid();
  std::vector<std::unique_ptr<EngineObject>> engines;
  engines.push_back(Attached());
  for (unsigned i = 1; i < kEngines; ++i) engines.push_back(Loaded());
  ASSERT_EQ(write(begin[1], "", 1), 1);
  for (unsigned i = 1; i < kEngines; ++i) {
    const absl::Status replaced = engines[i - 1]->ReplaceBy(engines[i].get());
    ASSERT_TRUE(replaced.ok()) << replaced;
  }
  EXPECT_EQ(caller.Wait(), 0);
  unsigned long long seen = 0;
  unsigned took_part = 0;
  for (const auto& engine : engines) {
    const unsigned long long its = ToldTo(*engine).getppids;
    seen += its;
    took_part += its > 0;
  }
  EXPECT_EQ(seen, kCalls);
  EXPECT_GE(took_part, 3u) << "it was not replaced while it was told";
  close(begin[0]);
  close(begin[1]);
}

TEST_F(BpfEngine, SaysWhyItIsRefused) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached();
  std::unique_ptr<EngineObject> again = Loaded();
  absl::Status refused = again->Attach();
  EXPECT_EQ(ErrnoOf(refused), EEXIST);
  EXPECT_THAT(refused.message(), HasSubstr("utracectl engine unload recorder"));
  engine.reset();
  tracee_.Kill(SIGKILL);
  EXPECT_EQ(tracee_.Wait(), SIGKILL);
  refused = again->Attach();
  EXPECT_EQ(ErrnoOf(refused), ESRCH);
  EXPECT_THAT(refused.message(), HasSubstr("there is no process"));
}

TEST_F(BpfEngine, IsNobodysOwn) {
  if (NotHere()) return;
  absl::StatusOr<std::unique_ptr<EngineObject>> own = EngineObject::Open(ObjectPath("recorder"));
  ASSERT_TRUE(own.ok());
  ASSERT_TRUE((*own)->SetTarget(getpid(), false).ok());
  ASSERT_TRUE((*own)->Load().ok());
  const absl::Status refused = (*own)->Attach();
  EXPECT_EQ(ErrnoOf(refused), EPERM);
}

TEST_F(BpfEngine, WithoutTheCapabilitiesItIsNotAttached) {
  if (NotHere()) return;
  // On nobody, so that it is not the right to trace somebody that is asked for.
  absl::StatusOr<std::unique_ptr<EngineObject>> engine = EngineObject::Open(ObjectPath("recorder"));
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE((*engine)->Load().ok());
  for (const int capability : {CAP_SYS_PTRACE, CAP_SYS_ADMIN}) {
    Fork user([&] {
      if (!DropCapability(capability)) return 1;
      return ErrnoOf((*engine)->Attach()) == EPERM ? 0 : 2;
    });
    EXPECT_EQ(user.Wait(), 0) << capability;
  }
  EXPECT_TRUE((*engine)->Attach().ok());
}

}  // namespace
}  // namespace utrace::test
