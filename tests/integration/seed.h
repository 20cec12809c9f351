// SPDX-License-Identifier: Apache-2.0
// What makes an interleaving happen: gates in the module, engines of the kernel, and a thread that
// does one thing at a time.
#ifndef TESTS_INTEGRATION_SEED_H_
#define TESTS_INTEGRATION_SEED_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/harness.h"
#include "tests/integration/puppet.h"
#include "uapi/utrace.h"

namespace utrace::test {

// A thread that spins in user mode but for the calls it is told to make.
class Puppet {
 public:
  Puppet();
  ~Puppet();
  Puppet(const Puppet&) = delete;
  Puppet& operator=(const Puppet&) = delete;

  pid_t pid() const { return pid_; }
  // Tells it to make the call, or to exec itself, and does not wait.
  void Call(long nr, long argument = 0);
  // Again and again, until it is told something else.
  void CallOn(long nr);
  void Exec();
  // Has it done all it was told to?
  bool Done() const { return strings_->done == strings_->orders; }
  // It comes to be so, and nothing else has to happen for it.
  bool GetsDone() const;
  bool Runs() const;
  // For so long that a running thread would have moved.
  bool Rests() const;
  long result() const { return strings_->result; }
  // The caller will have reaped it.
  void Forget() { pid_ = -1; }

 private:
  void Order(PuppetVerb verb);

  PuppetStrings* strings_;
  pid_t pid_ = -1;
};

// The gates of one thread; all are opened at the end.
class Gates {
 public:
  explicit Gates(pid_t tid) : tid_(tid) {}
  ~Gates();
  Gates(const Gates&) = delete;
  Gates& operator=(const Gates&) = delete;

  void Arm(const std::string& point);
  // Somebody waits there; at "asleep", which nobody waits at: somebody was there.
  bool Parked(const std::string& point) const;
  void Open(const std::string& point);

 private:
  pid_t tid_;
};

// An engine of utrace_seed.ko.  Calls return 0 or -errno.
class Seed {
 public:
  Seed();
  ~Seed();
  Seed(const Seed&) = delete;
  Seed& operator=(const Seed&) = delete;

  unsigned id() const { return id_; }
  int Attach(pid_t tid, bool nested = false);
  int SetEvents(uint32_t events);
  int Control(uint32_t action);
  int Stop();
  int Resume(uint64_t seq);
  // The call it was told of last is skipped, and gives this.
  int Abort(long result);
  int Barrier();
  // What the callback of @bit does from now on.
  void Answer(utrace_event bit, uint32_t action);
  void ChangeCall(long nr);
  void ChangeResult(long result);
  void Adopt(utrace_event bit, const Seed& other, uint32_t events);
  // The test's own reference.
  void Put();

  unsigned released() const { return static_cast<unsigned>(State(1)); }
  // The number of its last callback; of the report and of the stop that it holds for.
  uint64_t report() const { return State(2); }
  uint64_t held() const { return State(3); }
  uint64_t stopped() const { return State(4); }
  bool asleep() const { return State(5) != 0; }

 private:
  int Command(const std::string& verb, const std::string& arguments = "") const;
  uint64_t State(int field) const;

  unsigned id_;
  bool attached_ = false;
};

struct SeedLine {
  unsigned id;
  std::string what;
  long nr;
  long value;
};

// All that the engines heard, in the order in which they did.
std::vector<SeedLine> SeedLog();
// "ID WHAT" for each line.
std::vector<std::string> SeedCalls();
// One of a thread; see utrace_seed.c.
int SeedCommand(const std::string& text);

// Begins with an empty log.  seed_main.cc runs each test UTRACE_REPEAT times (5).
class SeedTest : public testing::Test {
 protected:
  SeedTest();
};

constexpr uint32_t kEntry = UTRACE_EVENT(SYSCALL_ENTRY);
constexpr uint32_t kExit = UTRACE_EVENT(SYSCALL_EXIT);

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_SEED_H_
