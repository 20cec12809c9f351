// SPDX-License-Identifier: Apache-2.0
// The program that watches itself: tracees/watcher.
#ifndef TESTS_INTEGRATION_WATCHER_H_
#define TESTS_INTEGRATION_WATCHER_H_

#include <sys/types.h>

#include <string>

#include "tests/integration/device.h"

namespace utrace::test {

// One run of it, which begins when it is told to.
class Watcher {
 public:
  Watcher();
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  pid_t pid() const { return pid_; }
  void Go() const;
  // All that it says up to its end.
  std::string Saw() const;

 private:
  int go_[2];
  int out_[2];
  pid_t pid_;
};

// What it sees when nobody traces it.
std::string SeenBare();

// Held at every event of every kind but one, each time for as long as it takes to answer.  That one
// says itself that it disturbs: who asks for ignored signals has them queued.
class HeldEverywhere {
 public:
  // @flags: UTRACE_TARGET_*, more than all its threads and children.
  HeldEverywhere(const Watcher& watcher, uint32_t flags);
  // Answers until it has ended; how often.
  int AnswerAll();

 private:
  const pid_t pid_;
  Device device_ = Device::Open();
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_WATCHER_H_
