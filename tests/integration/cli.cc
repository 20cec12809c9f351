// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/cli.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

namespace utrace::test {
namespace {

std::string Everything(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = pread(fd, buffer, sizeof(buffer), static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(n));
  }
  return text;
}

int OpenNameless() { return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | O_APPEND, 0600); }

Cli::Args WithProgram(Cli::Args args) {
  args.insert(args.begin(), "utracectl");
  return args;
}

}  // namespace

Cli::Cli(const Args& args) : Cli(WithProgram(args), true) {}

Cli Cli::As(uid_t uid, const Args& args) {
  const std::string id = std::to_string(uid);
  Args command = {"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "utracectl"};
  command.insert(command.end(), args.begin(), args.end());
  return Of(command);
}

Cli::Cli(const Args& command, bool) : out_(OpenNameless()), err_(OpenNameless()) {
  std::vector<char*> argv;
  for (const std::string& arg : command) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  dup2(out_, STDOUT_FILENO);
  dup2(err_, STDERR_FILENO);
  execvp(argv[0], argv.data());
  _exit(99);
}

Cli::~Cli() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  close(out_);
  close(err_);
}

void Cli::Kill(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

int Cli::Wait(int timeout_ms) {
  int status = 0;
  if (!Eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, timeout_ms)) return -1;
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string Cli::Out() const { return Everything(out_); }
std::string Cli::Err() const { return Everything(err_); }

bool Cli::Says(const std::string& text, int timeout_ms) const {
  return Eventually(
      [&] {
        return Out().find(text) != std::string::npos || Err().find(text) != std::string::npos;
      },
      timeout_ms);
}

CliResult RunCli(const Cli::Args& args) {
  Cli cli(args);
  const int status = cli.Wait();
  return {status, cli.Out(), cli.Err()};
}

CliResult RunCliAs(uid_t uid, const Cli::Args& args) {
  Cli cli = Cli::As(uid, args);
  const int status = cli.Wait();
  return {status, cli.Out(), cli.Err()};
}

std::vector<std::pair<std::string, pid_t>> ListedEngines() {
  static const std::regex row("^([0-9]+) +.*\\(([0-9]+)\\) .* control .*");
  // The owner comes before the target, and both have a number in brackets.
  static const std::regex owner("^([0-9]+) +[^ ]+ \\(([0-9]+)\\)");
  std::vector<std::pair<std::string, pid_t>> engines;
  std::smatch match;
  for (const std::string& line : LinesOf(RunCli({"engine", "list"}).out)) {
    if (!std::regex_match(line, row) || !std::regex_search(line, match, owner)) continue;
    engines.emplace_back(match[1], std::stoi(match[2]));
  }
  return engines;
}

Opener::Opener()
    : count_(static_cast<unsigned long*>(mmap(nullptr, sizeof(*count_), PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
      fork_(new Fork([this]() -> int {
        for (;;) {
          const int fd = open("/etc/hostname", O_RDONLY);
          close(fd);
          *count_ = *count_ + 1;
          usleep(2000);
        }
      })) {}

Opener::~Opener() {
  delete fork_;
  munmap(const_cast<unsigned long*>(count_), sizeof(*count_));
}

bool Opener::Runs() const {
  const unsigned long before = *count_;
  return Eventually([&] { return *count_ > before + 2; });
}

bool Opener::StandsStill() const {
  const unsigned long before = *count_;
  usleep(300'000);
  return *count_ == before;
}

bool FileSays(const std::string& path, const std::string& text, int timeout_ms) {
  return Eventually([&] { return ReadWhole(path).find(text) != std::string::npos; }, timeout_ms);
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  // Unlike an iterator this does not throw when the file goes away meanwhile, as those of /proc do.
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace utrace::test
