// SPDX-License-Identifier: Apache-2.0
// Engines in BPF, as the module tells them and takes what they decide.
#include <bpf/libbpf.h>
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
#include "tests/integration/harness.h"
#include "tests/integration/identity.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/bpf/engine_object.h"
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
  };
  // As it is now.
  static Told ToldTo(const EngineObject& engine) {
    const bpf_map* map = bpf_object__find_map_by_name(engine.Object(), ".bss");
    Told told{};
    const int key = 0;
    EXPECT_EQ(bpf_map__value_size(map), sizeof(told));
    EXPECT_EQ(bpf_map__lookup_elem(map, &key, sizeof(key), &told, sizeof(told), 0), 0);
    return told;
  }
  static unsigned long long Count(const EngineObject& engine, utrace_event event) {
    return ToldTo(engine).events[event];
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

TEST_F(BpfEngine, HoldsUntilItGoes) {
  if (NotHere()) return;
  std::unique_ptr<EngineObject> engine = Attached(std::to_string(UTRACE_EVENT_BIT_SYSCALL_ENTRY));
  tracee_.Tell("call " + std::to_string(SYS_getpriority) + " 0 0");
  EXPECT_EQ(tracee_.Hear(300), "");
  engine.reset();
  EXPECT_EQ(tracee_.Hear(), "20");
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
