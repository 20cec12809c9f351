// SPDX-License-Identifier: Apache-2.0
// The processes of a run, and whether they do what they should when nobody traces them.
#ifndef TESTS_INTEGRATION_STRESS_CREW_H_
#define TESTS_INTEGRATION_STRESS_CREW_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "tests/integration/freezer.h"
#include "tests/integration/stress/board.h"
#include "tests/integration/stress/dice.h"

namespace utrace::stress {

// Child processes that run @body, until killed.
pid_t StartChild(const std::function<int()>& body);
// SIGKILL, and its end; false if it does not end in time.
bool KillAndReap(pid_t pid);
// What its threads and their children do in the kernel, on stderr.
void Describe(pid_t pid);

// The targets, replaced when they die.
class Crew {
 public:
  // Of @quiet ones what they say is thrown away.
  explicit Crew(uint64_t seed, bool quiet = false);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  Board* board() { return board_; }
  pid_t Any() { return dice_.Of(board_->targets).pid; }
  // Reaps those that have died and starts others for them.
  void Replace();
  void SignalAll(int signo);
  void Kill(int index);
  // All of them, for good; false if one does not end.
  bool End();
  // That have been replaced up to now.
  int deaths() const { return deaths_; }
  // All run on, within a second, with nobody to trace them.  Else says what they do, and false.
  bool RunOn();

  // By cgroup; thawed with the object.
  void Freeze(bool frozen) { freezer_.Freeze(frozen); }

 private:
  void Start(int index);

  int fd_ = -1;
  Board* const board_;
  Dice dice_;
  const bool quiet_;
  const test::Freezer freezer_;
  int deaths_ = 0;
};

// No engine, no hold and no reference of anybody's is left.  Else says what there is, and false.
bool NothingIsLeft();

}  // namespace utrace::stress

#endif  // TESTS_INTEGRATION_STRESS_CREW_H_
