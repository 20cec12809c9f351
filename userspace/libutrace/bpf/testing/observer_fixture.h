// SPDX-License-Identifier: Apache-2.0
// An observer on real processes of this machine; needs what every observer needs.
#ifndef UTRACE_LIBUTRACE_BPF_TESTING_OBSERVER_FIXTURE_H_
#define UTRACE_LIBUTRACE_BPF_TESTING_OBSERVER_FIXTURE_H_

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/libutrace/bpf/privileges.h"
#include "userspace/libutrace/event_stream.h"
#include "userspace/libutrace/held_command.h"

namespace utrace {

// A few calls' rules, enough to see each kind of copy.
inline std::vector<utrace_copy_rules> SomeRules() {
  std::vector<utrace_copy_rules> rules(UTRACE_SYSCALLS);
  const auto put = [&](long nr, int i, utrace_copy_rule rule) {
    rules[static_cast<size_t>(nr)].rule[i] = rule;
  };
  put(SYS_read, 0, {1, UTRACE_COPY_BYTES, UTRACE_LEN_RESULT, 0, 1, UTRACE_COPY_F_RESULT});
  put(SYS_write, 0, {1, UTRACE_COPY_BYTES, UTRACE_LEN_ARG, 2, 1, 0});
  put(SYS_openat, 0, {1, UTRACE_COPY_STRING, UTRACE_LEN_FIXED, 0, 0, 0});
  put(SYS_rename, 0, {0, UTRACE_COPY_STRING, UTRACE_LEN_FIXED, 0, 0, 0});
  put(SYS_rename, 1, {1, UTRACE_COPY_STRING, UTRACE_LEN_FIXED, 0, 0, 0});
  put(SYS_pipe2, 0,
      {0, UTRACE_COPY_BYTES, UTRACE_LEN_FIXED, 0, 8, UTRACE_COPY_F_RESULT | UTRACE_COPY_F_WHOLE});
  rules[SYS_getppid].args = 1;
  rules[SYS_lseek].args = 4;
  put(SYS_execve, 0, {0, UTRACE_COPY_STRING, UTRACE_LEN_FIXED, 0, 0, 0});
  put(SYS_execve, 1, {1, UTRACE_COPY_STRINGS, UTRACE_LEN_FIXED, 0, 0, 0});
  return rules;
}

class ObserverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const absl::Status can = CheckCanObserve(); !can.ok()) GTEST_SKIP() << can;
    rules_ = SomeRules();
    options_.rules_x86_64 = rules_;
    options_.follow = true;
  }

  void Start() {
    absl::StatusOr<std::unique_ptr<Observer>> observer = Observer::Create(options_);
    ASSERT_TRUE(observer.ok()) << observer.status();
    observer_ = *std::move(observer);
    stream_ = std::make_unique<EventStream>(*observer_);
  }

  // All events until nothing is left to trace.
  void Collect() {
    while (!stream_->AtEnd()) TakeOne(absl::Seconds(5));
  }

  // Until one that fits came, or too long.
  bool CollectUntil(const std::function<bool(const Event&)>& fits) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (absl::Now() < deadline && !stream_->AtEnd()) {
      if (TakeOne(absl::Milliseconds(20)) && fits(events_.back())) return true;
    }
    return false;
  }

  bool TakeOne(absl::Duration timeout) {
    absl::StatusOr<std::optional<Event>> event = stream_->Next(timeout);
    EXPECT_TRUE(event.ok()) << event.status();
    if (!event.ok() || !*event) return false;
    events_.push_back(**std::move(event));
    return true;
  }

  void TraceCommand(const std::vector<std::string>& argv) {
    Start();
    absl::StatusOr<HeldCommand> command = HeldCommand::Spawn(argv, std::nullopt);
    ASSERT_TRUE(command.ok()) << command.status();
    const absl::Status added = observer_->AddProcessAtExec(command->Pid());
    ASSERT_TRUE(added.ok()) << added;
    const absl::Status released = command->Release();
    ASSERT_TRUE(released.ok()) << released;
    command_ = command->Pid();
    Collect();
    wait_status_ = *command->Wait();
  }

  // A traced child that runs `body`; the trace begins with the read it waits in, just before.
  pid_t Child(const std::function<void()>& body) {
    int gate[2];
    int ready[2];
    EXPECT_EQ(::pipe(gate), 0);
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t pid = ::fork();
    char byte = 0;
    if (pid == 0) {
      ::close(gate[1]);
      ::close(ready[0]);
      ::close(ready[1]);
      if (::read(gate[0], &byte, 1) < 0) ::_exit(9);
      body();
      ::_exit(0);
    }
    ::close(ready[1]);
    // Its end of the pipe is closed by its last call before the read.
    EXPECT_EQ(::read(ready[0], &byte, 1), 0);
    ::usleep(10000);
    ::close(ready[0]);
    const absl::Status added = observer_->AddProcess(pid);
    EXPECT_TRUE(added.ok()) << added;
    ::close(gate[0]);
    ::close(gate[1]);
    return pid;
  }

  template <typename Body>
  std::vector<Body> All(pid_t tid = 0) const {
    std::vector<Body> found;
    for (const Event& event : events_) {
      if (const Body* body = std::get_if<Body>(&event.body); body && (!tid || event.tid == tid)) {
        found.push_back(*body);
      }
    }
    return found;
  }

  std::vector<SyscallEvent> Calls(long nr, pid_t tid = 0) const {
    std::vector<SyscallEvent> found;
    for (SyscallEvent& call : All<SyscallEvent>(tid)) {
      if (call.nr == nr) found.push_back(std::move(call));
    }
    return found;
  }

  std::vector<utrace_copy_rules> rules_;
  ObserverOptions options_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<EventStream> stream_;
  std::vector<Event> events_;
  pid_t command_ = 0;
  int wait_status_ = -1;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_TESTING_OBSERVER_FIXTURE_H_
