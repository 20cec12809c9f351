// SPDX-License-Identifier: Apache-2.0
// A program that watches itself sees the same whether it is observed or not.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {
namespace {

// What the watcher says, once it is told to begin.
class Watcher {
 public:
  Watcher() {
    EXPECT_EQ(pipe(go_), 0);
    EXPECT_EQ(pipe(out_), 0);
    pid_ = fork();
    if (pid_ == 0) {
      char byte;
      if (read(go_[0], &byte, 1) != 1) _exit(1);
      dup2(out_[1], 1);
      for (const int end : {go_[0], go_[1], out_[0], out_[1]}) close(end);
      execl(TraceePath("watcher").c_str(), "watcher", static_cast<char*>(nullptr));
      _exit(1);
    }
    close(out_[1]);
  }
  ~Watcher() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(go_[0]);
    close(go_[1]);
    close(out_[0]);
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  pid_t pid() const { return pid_; }
  void Go() const { EXPECT_EQ(write(go_[1], "x", 1), 1); }
  int out() const { return out_[0]; }
  std::string Saw() const {
    std::string saw;
    char bytes[4096];
    for (ssize_t got; (got = read(out_[0], bytes, sizeof bytes)) > 0;)
      saw.append(bytes, static_cast<size_t>(got));
    return saw;
  }

 private:
  int go_[2];
  int out_[2];
  pid_t pid_;
};

std::string SeenBare() {
  static const std::string seen = [] {
    const Watcher watcher;
    watcher.Go();
    return watcher.Saw();
  }();
  return seen;
}

TEST(Transparency, SmokeItSeesTheSameTwice) {
  const std::string seen = SeenBare();
  EXPECT_NE(seen.find("exec: again\n"), std::string::npos) << seen;
  const Watcher watcher;
  watcher.Go();
  EXPECT_EQ(watcher.Saw(), seen);
}

TEST(Transparency, OfATrace) {
  const std::string seen = SeenBare();
  const Watcher watcher;
  Cli trace({"trace", "-f", "-o", "/dev/null", "-p", std::to_string(watcher.pid())});
  ASSERT_TRUE(Eventually([&] { return !Device::Open(O_RDONLY).List(watcher.pid()).empty(); }));
  watcher.Go();
  EXPECT_EQ(watcher.Saw(), seen);
  EXPECT_EQ(trace.Wait(), 0);
}

// All events told by the module, and held at none: an engine for its tracepoints alone.
TEST(Transparency, OfAnEngineThatOnlyTells) {
  const std::string seen = SeenBare();
  const Watcher watcher;
  Device device = Device::Open();
  ASSERT_GT(device.Attach(watcher.pid(), UTRACE_EVENTS_ALL & ~UTRACE_EVENT(SIGNAL_IGN),
                          UTRACE_TARGET_TRACE | UTRACE_TARGET_CHILDREN | UTRACE_TARGET_GROUP),
            0);
  watcher.Go();
  EXPECT_EQ(watcher.Saw(), seen);
}

// Held at every event of every kind but one, each time for as long as it takes to answer.  That one
// says itself that it disturbs: who asks for ignored signals has them queued.
class HeldEverywhere : public testing::TestWithParam<uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Transparency, HeldEverywhere, testing::Values(0, UTRACE_TARGET_NESTED));

TEST_P(HeldEverywhere, ItSeesTheSame) {
  const std::string seen = SeenBare();
  const Watcher watcher;
  Device device = Device::Open();
  constexpr uint32_t kEvents = UTRACE_EVENTS_STOPPABLE & ~UTRACE_EVENT(SIGNAL_IGN);
  ASSERT_GT(device.Attach(watcher.pid(), kEvents,
                          GetParam() | UTRACE_TARGET_CHILDREN | UTRACE_TARGET_GROUP),
            0);
  watcher.Go();
  int answered = 0;
  for (;;) {
    const utrace_notice notice = device.Next();
    if (notice.type == UTRACE_NOTICE_HELD) {
      ++answered;
      EXPECT_EQ(device.Answer(AnswerTo(notice)), 0);
    } else if (notice.type == 0 ||
               (notice.type == UTRACE_NOTICE_GONE && notice.tid == watcher.pid())) {
      break;
    }
  }
  EXPECT_GT(answered, 500);
  EXPECT_EQ(watcher.Saw(), seen);
}

}  // namespace
}  // namespace utrace::test
