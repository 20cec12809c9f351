// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "userspace/utracectl/command.h"

namespace utrace {
namespace {

using Args = std::vector<std::string>;

bool TakesValue(const CLI::App& app, const std::string& name) {
  const CLI::Option* option = app.get_option_no_throw(name);
  return option != nullptr && option->get_items_expected_max() > 0;
}

// Whether the value of the option(s) in `word` is the next word.
bool ValueFollows(const CLI::App& app, const std::string& word) {
  if (word.starts_with("--")) {
    return word.find('=') == std::string::npos && TakesValue(app, word);
  }
  for (size_t i = 1; i < word.size(); ++i) {
    if (TakesValue(app, std::string("-") + word[i])) return i + 1 == word.size();
  }
  return false;
}

// Takes the program off the end of `args`: from the first word that is no option, as strace and
// env do. The parser would take the program's own options for ours.
Args SplitProgram(const CLI::App& app, bool after_dashes, Args* args) {
  size_t at = 0;
  while (at < args->size()) {
    const std::string& word = (*args)[at];
    if (word == "--") break;
    if (after_dashes) {
      ++at;
      continue;
    }
    if (word.size() < 2 || word[0] != '-') break;
    at += ValueFollows(app, word) ? 2 : 1;
  }
  at = std::min(at, args->size());
  Args program(args->begin() + static_cast<std::ptrdiff_t>(at), args->end());
  args->resize(at);
  if (!program.empty() && program[0] == "--") program.erase(program.begin());
  return program;
}

size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row[b.size()];
}

int UnknownCommand(const std::string& word) {
  const Command* nearest = nullptr;
  size_t distance = 3;
  for (const Command& command : Commands()) {
    const size_t d = EditDistance(word, command.name);
    if (d < distance) {
      distance = d;
      nearest = &command;
    }
  }
  return UsageError(absl::StrCat(
      "there is no command ", word, "; ",
      nearest ? absl::StrCat("did you mean ", nearest->name, "?") : "see utracectl --help"));
}

// Examples come before the options: most readers need no more.
std::string Description(const Command& command) {
  return absl::StrCat("utracectl ", command.name, ": ", command.summary, "\n\nExamples:\n",
                      command.examples, "\n");
}

int RunCommand(const Command& command, Args args) {
  CLI::App app(Description(command), absl::StrCat("utracectl ", command.name));
  const Run run = command.define(app);
  Args program;
  if (command.takes != Command::kNoProgram) {
    program = SplitProgram(app, command.takes == Command::kProgramAfterDashes, &args);
  }
  std::reverse(args.begin(), args.end());  // the parser takes them from the end
  try {
    app.parse(args);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return UsageError(absl::StrCat(command.name, ": ", error.what(), "; see utracectl ",
                                   command.name, " --help"));
  }
  return run(program);
}

void PrintHelp(std::ostream& out) {
  out << "utracectl: watch and control running programs without disturbing them\n\n"
         "  utracectl trace -f -- sh -c 'ls | wc -l'    what a command does, live\n"
         "  utracectl doctor                            what this machine lacks\n\n"
         "Commands (utracectl COMMAND --help says more):\n";
  for (const Command& command : Commands()) {
    out << "  " << command.name << std::string(10 - std::strlen(command.name), ' ')
        << command.summary << "\n";
  }
}

int Main(const Args& args) {
  if (args.empty()) {
    PrintHelp(std::cerr);
    return kExitUsage;
  }
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    if (args.size() < 2) {
      PrintHelp(std::cout);
      return kExitOk;
    }
    return Main({args[1], "--help"});
  }
  if (args[0] == "--version") {
    std::cout << "utracectl " UTRACE_VERSION "\n";
    return kExitOk;
  }
  for (const Command& command : Commands()) {
    if (args[0] == command.name) return RunCommand(command, Args(args.begin() + 1, args.end()));
  }
  return UnknownCommand(args[0]);
}

}  // namespace
}  // namespace utrace

int main(int argc, char** argv) {
  return utrace::Main(std::vector<std::string>(argv + 1, argv + argc));
}
