// SPDX-License-Identifier: Apache-2.0
// utracectl, run as its users run it.
#ifndef TESTS_INTEGRATION_CLI_H_
#define TESTS_INTEGRATION_CLI_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/harness.h"

namespace utrace::test {

// One run of a command, with what it says on either channel. Killed and reaped with the object.
class Cli {
 public:
  using Args = std::vector<std::string>;

  // `utracectl` ARG...
  explicit Cli(const Args& args);
  // The same by a user without any of root's rights.
  static Cli As(uid_t uid, const Args& args);
  // Another program altogether, found in PATH.
  static Cli Of(const Args& command) { return Cli(command, true); }
  ~Cli();
  Cli(const Cli&) = delete;
  Cli& operator=(const Cli&) = delete;

  pid_t pid() const { return pid_; }
  void Kill(int signal) const;
  // As a shell has it; -1 if it does not end in time.
  int Wait(int timeout_ms = 30'000);
  // What it has said up to now.
  std::string Out() const;
  std::string Err() const;
  // Whether it comes to say this, on either channel.
  bool Says(const std::string& text, int timeout_ms = 20'000) const;

 private:
  Cli(const Args& command, bool);

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
};

// Runs to its end.
struct CliResult {
  int status;
  std::string out;
  std::string err;
};
CliResult RunCli(const Cli::Args& args);
CliResult RunCliAs(uid_t uid, const Cli::Args& args);

// Of those who hold or may hold, as `engine list` has it, in order: {engine, owner}.
std::vector<std::pair<std::string, pid_t>> ListedEngines();

// A process that opens and closes a file over and over, and counts how often it has.
class Opener {
 public:
  Opener();
  ~Opener();
  Opener(const Opener&) = delete;
  Opener& operator=(const Opener&) = delete;

  pid_t pid() const { return fork_->pid(); }
  std::string Name() const { return std::to_string(pid()); }
  // Whether it gets anywhere.
  bool Runs() const;
  // Whether it gets nowhere for a good while.
  bool StandsStill() const;

 private:
  volatile unsigned long* count_;
  Fork* fork_;
};

// Whether the file comes to hold this; as long as Cli::Says() waits, for it may be a program's
// output.
bool FileSays(const std::string& path, const std::string& text, int timeout_ms = 20'000);

std::vector<std::string> LinesOf(const std::string& text);
std::string ReadWhole(const std::string& path);

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_CLI_H_
