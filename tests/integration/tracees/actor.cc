// SPDX-License-Identifier: Apache-2.0
// actor: does what the lines on its standard input say, and answers each by one line.
//   call NR [ARG...]   the system call; answers its raw result, -errno for an error
//   fork | vfork       a child that ends with 7; answers its pid when it is reaped
//   fork-call NR       a child that makes the call and ends
//   thread             a thread that makes one getppid and ends; answers its tid
//   threads N          N threads that wait in pause() for ever; answers "N"
//   exec [PATH]        itself (it says "ready" again), or PATH
//   open PATH          to read, and closes it; answers 0 or -errno
//   thread-exec        a thread execs this program anew
//   exit N
//   block WHAT         read, futex, epoll, nanosleep or wait4 for ever; answers when it is over
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iomanip>
#include <sstream>
#include <string>
#include <thread>

#include "tests/integration/tracees/orders.h"

namespace {

long Raw(long nr, const unsigned long (&args)[6]) {
  const long result = syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
  return result < 0 ? -errno : result;
}

long Call(std::istringstream& line) {
  long nr = 0;
  unsigned long args[6] = {};
  line >> nr >> std::setbase(0);
  for (unsigned long& arg : args) {
    if (!(line >> arg)) break;
  }
  return Raw(nr, args);
}

long ForkChild(bool with_vfork, long nr) {
  const pid_t pid = with_vfork ? vfork() : fork();
  if (pid == 0) {
    if (nr >= 0) syscall(nr);
    _exit(7);
  }
  waitpid(pid, nullptr, 0);
  return pid;
}

long Block(const std::string& what) {
  int word = 0;
  int pipe_ends[2];
  char byte;
  timespec forever{100'000, 0};
  epoll_event event;
  long result = 0;
  if (what == "read") {
    result = pipe(pipe_ends) != 0 ? -1 : read(pipe_ends[0], &byte, 1);
  } else if (what == "futex") {
    result = syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
  } else if (what == "epoll") {
    result = epoll_wait(epoll_create1(0), &event, 1, -1);
  } else if (what == "nanosleep") {
    result = syscall(SYS_nanosleep, &forever, nullptr);
  } else {
    const pid_t child = fork();
    if (child == 0) {
      for (;;) pause();
    }
    result = waitpid(child, nullptr, 0);
  }
  return result < 0 ? -errno : result;
}

void Exec(const std::string& path) {
  const std::string target = path.empty() ? "/proc/self/exe" : path;
  execl(target.c_str(), target.c_str(), static_cast<char*>(nullptr));
}

long RunThread() {
  long tid = 0;
  std::thread([&tid] {
    tid = syscall(SYS_gettid);
    syscall(SYS_getppid);
  }).join();
  return tid;
}

}  // namespace

int main() {
  return utrace::test::ObeyLines([](const std::string& order) {
    std::istringstream line(order);
    std::string verb;
    std::string word;
    line >> verb;
    long result = 0;
    if (verb == "call") {
      result = Call(line);
    } else if (verb == "fork" || verb == "vfork") {
      result = ForkChild(verb == "vfork", -1);
    } else if (verb == "fork-call") {
      line >> result;
      result = ForkChild(false, result);
    } else if (verb == "thread") {
      result = RunThread();
    } else if (verb == "threads") {
      line >> result;
      for (long i = 0; i < result; ++i) {
        std::thread([] {
          for (;;) pause();
        }).detach();
      }
    } else if (verb == "exec") {
      line >> word;
      Exec(word);
      result = -errno;
    } else if (verb == "open") {
      line >> word;
      const int fd = open(word.c_str(), O_RDONLY | O_CLOEXEC);
      result = fd < 0 ? -errno : close(fd);
    } else if (verb == "thread-exec") {
      std::thread([] { Exec(""); }).join();
    } else if (verb == "block") {
      line >> word;
      result = Block(word);
    } else if (verb == "exit") {
      line >> result;
      std::exit(static_cast<int>(result));
    }
    return std::to_string(result);
  });
}
