// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/command.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "userspace/utracectl/commands/commands.h"

namespace utrace {
namespace {

void PrintLine(absl::string_view text) {
  // One write, so that lines of the traced program cannot come between.
  const std::string line = absl::StrCat("utracectl: ", text, "\n");
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;  // nobody left to tell
}

constexpr Command kCommands[] = {
    kTraceCommand,  kRecordCommand, kReportCommand, kStopCommand,   kHoldCommand,   kInjectCommand,
    kResumeCommand, kPsCommand,     kStackCommand,  kEngineCommand, kStatusCommand, kDoctorCommand,
};

}  // namespace

absl::Span<const Command> Commands() { return kCommands; }

void PrintError(const absl::Status& status) { PrintLine(status.message()); }
void PrintNote(absl::string_view text) { PrintLine(text); }

void Print(absl::string_view line) {
  std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
  std::fflush(stdout);
}

int Finish(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  PrintError(status);
  return kExitFailure;
}

std::string AboveZeroError(const std::string& text) {
  double number = 0;
  if (absl::SimpleAtod(text, &number) && std::isfinite(number) && number > 0) return {};
  return absl::StrCat("'", text, "' is no number above 0");
}

int UsageError(absl::string_view text) {
  PrintLine(text);
  return kExitUsage;
}

}  // namespace utrace
