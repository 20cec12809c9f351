// SPDX-License-Identifier: Apache-2.0
// A command is one file in commands/: its options, its help, its run.
#ifndef UTRACE_UTRACECTL_COMMAND_H_
#define UTRACE_UTRACECTL_COMMAND_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace CLI {
class App;
}

namespace utrace {

enum ExitStatus : int {
  kExitOk = 0,
  kExitFailure = 1,
  kExitUsage = 2,
  kExitLoss = 3,
  // With a command to run, as env(1) and timeout(1) have it:
  kExitOwnFailure = 125,  // before it ran
  kExitNotExecutable = 126,
  kExitNotFound = 127,
};

// The program to run, what follows the options; empty if none was given.
using ProgramArgs = std::vector<std::string>;
using Run = std::function<int(const ProgramArgs&)>;

struct Command {
  const char* name;
  const char* summary;   // one line, for the list of commands
  const char* examples;  // come first in its help
  // PROGRAM ARG... may follow the options; where other words may, only after --.
  enum Takes { kNoProgram, kProgram, kProgramAfterDashes } takes;
  // Adds the options; what it returns runs with what was parsed, and gives the exit status.
  Run (*define)(CLI::App& app);
};

// All there are.
absl::Span<const Command> Commands();

// "utracectl: <message>" on standard error.
void PrintError(const absl::Status& status);
void PrintNote(absl::string_view text);
// A line on standard output, at once.
void Print(absl::string_view line);

// The exit status of what came to this; an error is printed.
int Finish(const absl::Status& status);

// For the parser: what is wrong with `text` as a number above 0; nothing if it is one.
std::string AboveZeroError(const std::string& text);

// The error of a wrong use that the parser cannot see; returns kExitUsage.
int UsageError(absl::string_view text);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_COMMAND_H_
