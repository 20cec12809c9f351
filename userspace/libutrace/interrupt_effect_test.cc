// SPDX-License-Identifier: Apache-2.0
// The table against the kernel we run on: a job stop breaks a call as an interrupt does, no
// handler running.
#include "userspace/libutrace/interrupt_effect.h"

#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <ostream>
#include <string>

#include "gtest/gtest.h"
#include "userspace/libutrace/process_info.h"

namespace utrace {
namespace {

struct Blocking {
  const char* call;
  bool fails;
  std::function<long()> block;  // as in errno's convention: -1 and errno
};

void PrintTo(const Blocking& blocking, std::ostream* out) { *out << blocking.call; }

long Raw(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  return ::syscall(nr, a, b, c, d, e, f);
}

int SocketPair(bool timeout) {
  int fds[2];
  ::socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
  const timeval limit{1000, 0};
  if (timeout) ::setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return fds[0];
}

long Receive(bool timeout) {
  char byte;
  return ::recv(SocketPair(timeout), &byte, 1, 0);
}

long SemWait(bool timed) {
  const int id = ::semget(IPC_PRIVATE, 1, 0600);
  sembuf down{0, -1, 0};
  const timespec limit{1000, 0};
  return timed ? ::semtimedop(id, &down, 1, &limit) : ::semop(id, &down, 1);
}

long AioWait(long nr) {
  aio_context_t context = 0;
  if (Raw(SYS_io_setup, 1, reinterpret_cast<long>(&context)) != 0) return 0;
  io_event event;
  return Raw(nr, static_cast<long>(context), 1, 1, reinterpret_cast<long>(&event));
}

const Blocking kBlocking[] = {
    {"epoll_wait", true,
     [] {
       epoll_event event;
       return long{::epoll_wait(::epoll_create1(0), &event, 1, -1)};
     }},
    {"epoll_pwait", true,
     [] {
       epoll_event event;
       return long{::epoll_pwait(::epoll_create1(0), &event, 1, -1, nullptr)};
     }},
    {"rt_sigtimedwait", true,
     [] {
       sigset_t set;
       ::sigemptyset(&set);
       ::sigaddset(&set, SIGUSR1);
       return long{::sigwaitinfo(&set, nullptr)};
     }},
    {"io_getevents", true, [] { return AioWait(SYS_io_getevents); }},
    {"io_pgetevents", false, [] { return AioWait(SYS_io_pgetevents); }},
    {"recvfrom", true, [] { return Receive(true); }},
    {"recvfrom", false, [] { return Receive(false); }},
    {"poll", false, [] { return long{::poll(nullptr, 0, -1)}; }},
    {"ppoll", false, [] { return long{::ppoll(nullptr, 0, nullptr, nullptr)}; }},
    {"select", false, [] { return Raw(SYS_select); }},
    {"pselect6", false, [] { return Raw(SYS_pselect6); }},
    {"pause", false, [] { return long{::pause()}; }},
    {"rt_sigsuspend", false,
     [] {
       sigset_t set;
       ::sigemptyset(&set);
       return long{::sigsuspend(&set)};
     }},
    {"nanosleep", false,
     [] {
       const timespec time{1000, 0};
       return Raw(SYS_nanosleep, reinterpret_cast<long>(&time));
     }},
    {"clock_nanosleep", false,
     [] {
       const timespec time{1000, 0};
       return Raw(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, reinterpret_cast<long>(&time));
     }},
    {"futex", false,
     [] {
       static int word = 0;
       return Raw(SYS_futex, reinterpret_cast<long>(&word), FUTEX_WAIT, 0);
     }},
    {"wait4", false,
     [] {
       const pid_t child = ::fork();
       if (child == 0) {
         while (::getppid() != 1) ::usleep(10000);
         ::_exit(0);
       }
       return long{::waitpid(child, nullptr, 0)};
     }},
    {"read", false,
     [] {
       int fds[2];
       char byte;
       if (::pipe(fds) != 0) return 0L;
       return long{::read(fds[0], &byte, 1)};
     }},
    {"semop", true, [] { return SemWait(false); }},
    {"semtimedop", true, [] { return SemWait(true); }},
    {"msgrcv", false,
     [] {
       char message[16];
       return long{::msgrcv(::msgget(IPC_PRIVATE, 0600), message, 8, 0, 0)};
     }},
};

class InterruptEffectTest : public ::testing::TestWithParam<Blocking> {};

TEST_P(InterruptEffectTest, IsWhatTheKernelDoes) {
  const Blocking& blocking = GetParam();
  const pid_t child = ::fork();
  if (child == 0) {
    // Semaphores and queues of its own, gone with it.
    if (::unshare(CLONE_NEWIPC) != 0) (void)::unshare(CLONE_NEWUSER | CLONE_NEWIPC);
    ::_exit(blocking.block() == -1 ? errno : 0);
  }
  while (ReadThread(child)->state != 'S') ASSERT_FALSE(ReadThread(child)->Dead());
  ::kill(child, SIGSTOP);
  while (ReadThread(child)->state != 'T') ::usleep(100);
  ::kill(child, SIGCONT);
  char state;
  do {
    state = ReadThread(child)->state;
  } while (state != 'S' && state != 'Z');
  if (state == 'S') ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (blocking.fails) {
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EINTR) << status;
  } else {
    EXPECT_TRUE(WIFSIGNALED(status)) << "ended with " << WEXITSTATUS(status);
  }
  const InterruptEffect effect = EffectOfInterrupt(blocking.call);
  const InterruptEffect certain =
      blocking.fails ? InterruptEffect::kFails : InterruptEffect::kRestarts;
  EXPECT_TRUE(effect == certain || effect == InterruptEffect::kMayFail);
}

INSTANTIATE_TEST_SUITE_P(Calls, InterruptEffectTest, ::testing::ValuesIn(kBlocking),
                         [](const ::testing::TestParamInfo<Blocking>& param) {
                           return std::string(param.param.call) +
                                  (param.param.fails ? "Fails" : "Restarts");
                         });

TEST(InterruptEffect, AnUnknownCallIsSaidToBeUnknown) {
  EXPECT_EQ(EffectOfInterrupt("ioctl"), InterruptEffect::kUnknown);
}

}  // namespace
}  // namespace utrace
