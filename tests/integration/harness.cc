// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "gtest/gtest.h"

namespace utrace::test {
namespace {

using Clock = std::chrono::steady_clock;

int MillisecondsUntil(Clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

Clock::time_point EndOf(int timeout_ms) {
  return Clock::now() + std::chrono::milliseconds(Patience(timeout_ms));
}

int WaitFor(pid_t* pid, int timeout_ms) {
  if (*pid < 0) return -1;
  int status = -1;
  const bool ended =
      Eventually([&] { return waitpid(*pid, &status, WNOHANG) == *pid; }, timeout_ms);
  if (!ended) return -1;
  *pid = -1;
  return status;
}

void KillAndReap(pid_t* pid) {
  if (*pid < 0) return;
  kill(*pid, SIGKILL);
  // SIGKILL wins over every hold: if it did not, the rig's time limit would tell.
  while (waitpid(*pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  *pid = -1;
}

std::string StatOf(pid_t pid, pid_t tid) {
  const pid_t thread = tid != 0 ? tid : pid;
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  return name_end == std::string::npos ? "" : line.substr(name_end + 2);
}

}  // namespace

int Patience(int timeout_ms) {
  static const int multiplier = [] {
    const char* text = std::getenv("UTRACE_TIMEOUT_MULTIPLIER");
    return text == nullptr ? 1 : std::max(1, std::atoi(text));
  }();
  return timeout_ms * multiplier;
}

std::string TraceePath(const std::string& name) {
  char self[4096];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
  const std::string path(self, size > 0 ? static_cast<size_t>(size) : 0);
  const std::string folder = path.substr(0, path.rfind('/'));
  return folder.substr(0, folder.rfind('/')) + "/tracees/" + name;
}

Tracee::Tracee(const std::vector<std::string>& arguments) {
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) abort();
  const std::string path = TraceePath(arguments.at(0));
  pid_ = fork();
  if (pid_ == 0) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    dup2(in[0], 0);
    dup2(out[1], 1);
    execv(path.c_str(), argv.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  in_ = in[1];
  out_ = out[0];
  const std::string line = Hear();
  EXPECT_EQ(line, "ready") << path;
}

Tracee::~Tracee() {
  KillAndReap(&pid_);
  close(in_);
  close(out_);
}

void Tracee::Tell(const std::string& line) {
  const std::string text = line + "\n";
  EXPECT_EQ(write(in_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::string Tracee::Hear(int timeout_ms) {
  const auto end = EndOf(timeout_ms);
  for (;;) {
    const size_t newline = heard_.find('\n');
    if (newline != std::string::npos) {
      const std::string line = heard_.substr(0, newline);
      heard_.erase(0, newline + 1);
      return line;
    }
    pollfd ready{out_, POLLIN, 0};
    if (poll(&ready, 1, MillisecondsUntil(end)) <= 0) return "";
    char buffer[4096];
    const ssize_t size = read(out_, buffer, sizeof(buffer));
    if (size <= 0) return "";
    heard_.append(buffer, static_cast<size_t>(size));
  }
}

std::string Tracee::Ask(const std::string& line) {
  Tell(line);
  return Hear();
}

void Tracee::Kill(int signal) const { kill(pid_, signal); }

int Tracee::Wait(int timeout_ms) { return WaitFor(&pid_, timeout_ms); }

Fork::Fork(const std::function<int()>& body) : pid_(fork()) {
  if (pid_ == 0) _exit(body());
}

Fork::~Fork() { KillAndReap(&pid_); }

int Fork::Wait(int timeout_ms) { return WaitFor(&pid_, timeout_ms); }

char StateOf(pid_t pid, pid_t tid) {
  const std::string stat = StatOf(pid, tid);
  return stat.empty() ? '\0' : stat[0];
}

long SwitchesOf(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  long switches = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.find("_ctxt_switches:") == std::string::npos) continue;
    switches += std::stol(line.substr(line.find(':') + 1));
  }
  return switches;
}

long TicksOf(pid_t pid, pid_t tid) {
  std::istringstream fields(StatOf(pid, tid));
  std::string skipped;
  long user = 0;
  long system = 0;
  // Fields 3 to 13 of proc(5), then utime and stime.
  for (int i = 3; i <= 13; ++i) fields >> skipped;
  fields >> user >> system;
  return user + system;
}

bool Runs(pid_t pid) {
  const long before = TicksOf(pid);
  return Eventually([&] { return TicksOf(pid) > before + 1; }, 5000);
}

std::vector<pid_t> ThreadsOf(pid_t pid) {
  std::vector<pid_t> tids;
  DIR* dir = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (dir == nullptr) return tids;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') tids.push_back(static_cast<pid_t>(std::atoi(entry->d_name)));
  }
  closedir(dir);
  return tids;
}

unsigned long WordOf(pid_t pid, uintptr_t address) {
  unsigned long word = 0;
  iovec local{&word, sizeof(word)};
  iovec remote{reinterpret_cast<void*>(address), sizeof(word)};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(word) ? word : 0;
}

TempFolder::TempFolder() {
  if (mkdtemp(path_.data()) == nullptr) abort();
}

TempFolder::~TempFolder() { std::filesystem::remove_all(path_); }

bool Eventually(const std::function<bool()>& is_so, int timeout_ms) {
  const auto end = EndOf(timeout_ms);
  while (!is_so()) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace utrace::test
