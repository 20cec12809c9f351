// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/stress/crew.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/stress/target.h"

namespace utrace::stress {
namespace {

using test::Device;
using test::Eventually;

std::string ReadWhole(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

pid_t StartChild(const std::function<int()>& body) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  _exit(getppid() == parent ? body() : 1);
}

bool KillAndReap(pid_t pid) {
  kill(pid, SIGKILL);
  const bool ended =
      Eventually([&] { return waitpid(pid, nullptr, WNOHANG) == pid || errno == ECHILD; }, 5000);
  if (!ended) std::cerr << "stress: process " << pid << " does not end by SIGKILL\n";
  return ended;
}

Crew::Crew(uint64_t seed, bool quiet) : board_(MakeBoard(&fd_)), dice_(seed, 3), quiet_(quiet) {
  for (int i = 0; i < kTargets; ++i) Start(i);
}

Crew::~Crew() {
  End();
  close(fd_);
}

bool Crew::End() {
  bool all = true;
  Freeze(false);
  for (Board::Target& target : board_->targets) {
    const pid_t pid = target.pid.exchange(0);
    if (pid == 0) continue;
    kill(-pid, SIGKILL);
    all &= KillAndReap(pid);
  }
  return all;
}

void Crew::Start(int index) {
  const pid_t pid = StartTarget(fd_, index, dice_.Bits(), quiet_);
  setpgid(pid, pid);
  board_->targets[index].pid = pid;
  if (!freezer_.Add(pid)) std::cerr << "stress: process " << pid << " cannot be frozen\n";
}

void Crew::Replace() {
  for (int i = 0; i < kTargets; ++i) {
    const pid_t pid = board_->targets[i].pid;
    if (waitpid(pid, nullptr, WNOHANG) != pid) continue;
    // Its children, which nobody waits for.
    kill(-pid, SIGKILL);
    ++deaths_;
    Start(i);
  }
}

void Crew::SignalAll(int signo) {
  for (const Board::Target& target : board_->targets) kill(-target.pid, signo);
}

void Crew::Kill(int index) { kill(board_->targets[index].pid, SIGKILL); }

void Describe(pid_t pid) {
  for (const pid_t tid : test::ThreadsOf(pid)) {
    const std::string task = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid);
    std::cerr << task << ": " << ReadWhole(task + "/stat") << ReadWhole(task + "/syscall")
              << ReadWhole(task + "/stack");
    for (std::istringstream children(ReadWhole(task + "/children")); children;) {
      std::string child;
      if (children >> child)
        std::cerr << "its child: " << ReadWhole("/proc/" + child + "/stat")
                  << ReadWhole("/proc/" + child + "/stack");
    }
  }
}

bool Crew::RunOn() {
  uint64_t before[kTargets];
  pid_t pids[kTargets];
  Freeze(false);
  Replace();
  for (int i = 0; i < kTargets; ++i) {
    before[i] = board_->targets[i].beats;
    pids[i] = board_->targets[i].pid;
  }
  bool all = true;
  for (int i = 0; i < kTargets; ++i) {
    const bool runs = Eventually(
        [&] {
          // Stops of job control are the targets' own.
          SignalAll(SIGCONT);
          // One that ends by itself has run.
          Replace();
          return board_->targets[i].pid != pids[i] || board_->targets[i].beats != before[i];
        },
        1000);
    if (!runs) {
      std::cerr << "stress: target " << pids[i] << " does not run on:\n";
      Describe(pids[i]);
    }
    all &= runs;
  }
  return all;
}

bool NothingIsLeft() {
  Device device = Device::Open(O_RDONLY);
  utrace_features features{};
  const bool gone = Eventually(
      [&] { return device.Call(UTRACE_IOC_FEATURES, &features) == 0 && features.engines == 0; },
      1000);
  if (!gone) {
    std::cerr << "stress: " << features.engines << " engines are left\n";
    for (const utrace_info& info : device.List())
      std::cerr << "engine " << info.engine << " of " << info.owner << " on " << info.tid << "\n";
  }
  device.Close();
  const bool unused =
      Eventually([] { return ReadWhole("/sys/module/utrace/refcnt") == "0\n"; }, 1000);
  if (!unused)
    std::cerr << "stress: the module is in use: " << ReadWhole("/sys/module/utrace/refcnt");
  return gone && unused;
}

}  // namespace utrace::stress
