// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/watcher.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>

#include "gtest/gtest.h"
#include "tests/integration/harness.h"

namespace utrace::test {

Watcher::Watcher() {
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

Watcher::~Watcher() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(go_[0]);
  close(go_[1]);
  close(out_[0]);
}

void Watcher::Go() const { EXPECT_EQ(write(go_[1], "x", 1), 1); }

std::string Watcher::Saw() const {
  std::string saw;
  char bytes[4096];
  for (ssize_t got; (got = read(out_[0], bytes, sizeof bytes)) > 0;)
    saw.append(bytes, static_cast<size_t>(got));
  return saw;
}

std::string SeenBare() {
  const Watcher watcher;
  watcher.Go();
  return watcher.Saw();
}

HeldEverywhere::HeldEverywhere(const Watcher& watcher, uint32_t flags) : pid_(watcher.pid()) {
  constexpr uint32_t kEvents = UTRACE_EVENTS_STOPPABLE;
  EXPECT_GT(device_.Attach(pid_, kEvents, flags | UTRACE_TARGET_CHILDREN | UTRACE_TARGET_GROUP), 0);
}

int HeldEverywhere::AnswerAll() {
  int answered = 0;
  std::set<pid_t> killed;
  for (;;) {
    const utrace_notice notice = device_.Next();
    if (notice.type == UTRACE_NOTICE_HELD) {
      ++answered;
      const int error = device_.Answer(AnswerTo(notice));
      // Whom a signal ends is told of its exit but held no more, and may be gone by now.
      if (error == -ESRCH)
        killed.insert(notice.tid);
      else
        EXPECT_EQ(error, 0) << ToString(notice);
    } else if (notice.type == UTRACE_NOTICE_GONE && killed.erase(notice.tid) != 0) {
      EXPECT_NE(WTERMSIG(notice.result), 0) << ToString(notice);
    } else if (notice.type == 0 || (notice.type == UTRACE_NOTICE_GONE && notice.tid == pid_)) {
      EXPECT_TRUE(killed.empty());
      return answered;
    }
  }
}

}  // namespace utrace::test
