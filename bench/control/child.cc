// SPDX-License-Identifier: Apache-2.0
#include "bench/control/child.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace::bench {
namespace {

// Enough for pause() and the thread's own bookkeeping.
constexpr size_t kStack = 32 << 10;

void* Sleep(void* awake) {
  static_cast<std::atomic<uint64_t>*>(awake)->fetch_add(1);
  for (;;) pause();
}

int SleepByThreads(int threads, std::atomic<uint64_t>* awake) {
  // One mapping: one for each would be more than the kernel allows.
  const size_t size = kStack * static_cast<size_t>(threads);
  char* stacks = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (stacks == MAP_FAILED) return errno;
  // Pages of 2 MB would be touched in whole.
  madvise(stacks, size, MADV_NOHUGEPAGE);
  for (int i = 1; i < threads; ++i) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stacks + kStack * static_cast<size_t>(i), kStack);
    const int error = pthread_create(&thread, &attributes, Sleep, awake);
    if (error != 0) return error;
  }
  Sleep(awake);
  return 0;
}

}  // namespace

Shared::Shared() {
  void* page =
      mmap(nullptr, sizeof(*value_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) std::abort();
  value_ = new (page) std::atomic<uint64_t>(0);
}

Shared::~Shared() { munmap(value_, sizeof(*value_)); }

absl::Status Shared::WaitFor(uint64_t value, const char* what) const {
  const absl::Time end = absl::Now() + absl::Minutes(2);
  while (*value_ < value) {
    if (absl::Now() > end) {
      return absl::DeadlineExceededError(
          absl::StrCat("wait for ", what, ": at ", value_->load(), " of ", value));
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
  return absl::OkStatus();
}

absl::StatusOr<Child> Child::Run(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid < 0) return LastErrno("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(body());
  }
  return Child(pid);
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Child::~Child() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, __WALL);
}

absl::StatusOr<int> Child::Wait() {
  int status = 0;
  if (waitpid(pid_, &status, 0) < 0) return LastErrno(absl::StrCat("wait for process ", pid_));
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void CallForEver() {
  for (;;) syscall(SYS_getpid);
}

absl::StatusOr<Child> Sleepers(int threads) {
  Shared awake;
  ASSIGN_OR_RETURN(Child child, Child::Run([&] { return SleepByThreads(threads, &*awake); }));
  RETURN_IF_ERROR(awake.WaitFor(static_cast<uint64_t>(threads), "the threads to be there"));
  // From counting themselves to their sleep.
  absl::SleepFor(absl::Milliseconds(200));
  return child;
}

}  // namespace utrace::bench
