// SPDX-License-Identifier: Apache-2.0
// Programs to be traced, and what can be seen of them without tracing.
#ifndef TESTS_INTEGRATION_HARNESS_H_
#define TESTS_INTEGRATION_HARNESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace utrace::test {

// How long to wait for what takes @timeout_ms at most on a stock kernel: vm/run says how much
// slower this one is. All times below are such times.
int Patience(int timeout_ms);

// A child process that runs one of tracees/, told what to do by lines on its standard input.
// Killed and reaped with the object.
class Tracee {
 public:
  // Waits for the line "ready".
  explicit Tracee(const std::vector<std::string>& arguments);
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  pid_t pid() const { return pid_; }
  // Tells it to do something, and does not wait.
  void Tell(const std::string& line);
  // Its next line, without the newline; empty when it has ended or says nothing for so long.
  std::string Hear(int timeout_ms = 10'000);
  std::string Ask(const std::string& line);
  void Kill(int signal) const;
  // As waitpid() gives it; -1 if it does not end in time.
  int Wait(int timeout_ms = 10'000);
  bool ended() const { return pid_ < 0; }

 private:
  pid_t pid_;
  int in_;
  int out_;
  std::string heard_;
};

// An empty folder in /tmp, gone with the object and all that is in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/test.XXXXXX";
};

// A child of our own that runs @body and ends with what it returns.
class Fork {
 public:
  explicit Fork(const std::function<int()>& body);
  ~Fork();
  Fork(const Fork&) = delete;
  Fork& operator=(const Fork&) = delete;

  pid_t pid() const { return pid_; }
  int Wait(int timeout_ms = 10'000);

 private:
  pid_t pid_;
};

// The letter of /proc/PID/task/TID/stat, 0 if there is none.
char StateOf(pid_t pid, pid_t tid = 0);
std::vector<pid_t> ThreadsOf(pid_t pid);
// User and system time in clock ticks.
long TicksOf(pid_t pid, pid_t tid = 0);
// How often it was put to sleep or off its CPU: of a thread that nobody wakes, always the same.
long SwitchesOf(pid_t pid);
// Does it use its CPU, over a time in which a running process surely would?
bool Runs(pid_t pid);
// A word of its memory; 0 if it cannot be read.
unsigned long WordOf(pid_t pid, uintptr_t address);
// Asks again and again until it is so; false when the time is up.
bool Eventually(const std::function<bool()>& is_so, int timeout_ms = 10'000);
// Of the file beside the tests.
std::string TraceePath(const std::string& name);

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_HARNESS_H_
