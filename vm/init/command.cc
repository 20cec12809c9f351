// SPDX-License-Identifier: Apache-2.0
#include "vm/init/command.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vm/init/guest.h"

namespace utrace::vm {
namespace {

// The descriptor on which a command writes result lines of its own, if its job says so;
// vm/guest/run_tests.py does. Others begin with three descriptors, as programs expect.
constexpr int kVerdictFd = 3;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void Exec(const Job& job) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const std::vector<char*> arguments = Pointers(job.arguments);
  const std::vector<char*> environment = Pointers(job.environment);
  environ = const_cast<char**>(environment.data());
  execvp(arguments[0], arguments.data());
  const int error = errno;
  const std::string text =
      "vm: cannot run " + job.arguments[0] + ": " + std::strerror(error) + "\n";
  WriteAll(STDERR_FILENO, text.data(), text.size());
  _exit(error == ENOENT ? 127 : 126);
}

int OpenChildSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) FailErrno("signalfd");
  return fd;
}

// Reaps whoever ended; true when the command was among them, with its status.
bool Reap(int signals, pid_t command, int* status) {
  signalfd_siginfo info;
  while (read(signals, &info, sizeof(info)) > 0) {
  }
  bool ended = false;
  int raw;
  pid_t pid;
  while ((pid = waitpid(-1, &raw, WNOHANG)) > 0) {
    if (pid != command) continue;
    ended = true;
    *status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
  }
  return ended;
}

void Output(const char* data, size_t size, int out, Ending* ending) {
  if (!WriteAll(out, data, size)) FailErrno("write the command's output");
  ending->output_bytes += size;
}

// Passes on what can be read; false at the end of the stream.
bool CopyOutput(int from, int out, Ending* ending) {
  char buffer[65536];
  const ssize_t size = read(from, buffer, sizeof(buffer));
  if (size <= 0) return size < 0 && (errno == EINTR || errno == EAGAIN);
  Output(buffer, static_cast<size_t>(size), out, ending);
  return true;
}

bool CopyInput(int in, int terminal) {
  char buffer[4096];
  const ssize_t size = read(in, buffer, sizeof(buffer));
  return size > 0 && WriteAll(terminal, buffer, static_cast<size_t>(size));
}

// Passes on what is in the pipe at this moment and no more: a daemon may go on writing for ever.
void Drain(int from, int out, Ending* ending) {
  int left = 0;
  if (ioctl(from, FIONREAD, &left) != 0) return;
  while (left > 0) {
    char buffer[65536];
    const size_t want = std::min(sizeof(buffer), static_cast<size_t>(left));
    const ssize_t size = read(from, buffer, want);
    if (size <= 0) return;
    Output(buffer, static_cast<size_t>(size), out, ending);
    left -= static_cast<int>(size);
  }
}

// Copies source to out (and in to source, for a terminal) until the command ends.
Ending Relay(pid_t command, int signals, int source, int out, int in) {
  pollfd fds[] = {{signals, POLLIN, 0}, {source, POLLIN, 0}, {in, POLLIN, 0}};
  Ending ending;
  for (;;) {
    if (poll(fds, 3, -1) < 0 && errno != EINTR) FailErrno("poll");
    if (fds[1].revents != 0 && !CopyOutput(source, out, &ending)) fds[1].fd = -1;
    if (fds[2].revents & POLLIN && !CopyInput(in, source)) fds[2].fd = -1;
    if (fds[0].revents != 0 && Reap(signals, command, &ending.status)) {
      Drain(source, out, &ending);
      return ending;
    }
  }
}

}  // namespace

Ending RunCommand(const Job& job, int out_port, int verdict_port) {
  const int signals = OpenChildSignals();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) FailErrno("pipe");
  const pid_t pid = fork();
  if (pid < 0) FailErrno("fork");
  if (pid == 0) {
    setsid();
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(nothing);
    // The port may have that number already, and then dup2() would leave it to be closed at exec.
    if (job.verdict && (dup2(verdict_port, kVerdictFd) < 0 || fcntl(kVerdictFd, F_SETFD, 0) != 0)) {
      _exit(126);
    }
    Exec(job);
  }
  close(ends[1]);
  return Relay(pid, signals, ends[0], out_port, -1);
}

Ending RunShell(const Job& job, int in_port, int out_port) {
  const int signals = OpenChildSignals();
  winsize size = {};
  size.ws_row = static_cast<unsigned short>(job.rows);
  size.ws_col = static_cast<unsigned short>(job.columns);
  int terminal;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  if (pid < 0) FailErrno("forkpty");
  if (pid == 0) Exec(job);
  return Relay(pid, signals, terminal, out_port, in_port);
}

}  // namespace utrace::vm
