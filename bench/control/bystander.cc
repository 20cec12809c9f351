// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/control/child.h"
#include "bench/control/cpu.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "bench/control/ticks.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/session.h"

namespace utrace::bench {
namespace {

constexpr int kBatches = 101;
constexpr int kCalls = 1000;

// Ticks of one getpid here.  The others run between the batches, never within one.
double GetpidCost() {
  Series series;
  for (int i = 0; i < kBatches; ++i) {
    {
      const Ahead ahead;
      const uint64_t begin = Ticks();
      for (int call = 0; call < kCalls; ++call) syscall(SYS_getpid);
      series.Add(static_cast<double>(Ticks() - begin) / kCalls);
    }
    absl::SleepFor(absl::Milliseconds(2));
  }
  return series.Median();
}

// The other process: it makes calls, but not more than can be recorded.
absl::StatusOr<Child> Other() {
  return Child::Run([] {
    for (;;) {
      for (int call = 0; call < 100; ++call) syscall(SYS_getpid);
      absl::SleepFor(absl::Milliseconds(1));
    }
    return 0;
  });
}

absl::Status Control(pid_t pid, std::atomic<uint64_t>* trips) {
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
  RETURN_IF_ERROR(session->Attach(AttachTarget::Thread(pid), UTRACE_EVENT_SYSCALL).status());
  auto answer = Sized<utrace_answer>();
  for (bool first = true;; first = false) {
    ASSIGN_OR_RETURN(const std::vector<utrace_notice> notices,
                     session->Next(first ? nullptr : &answer, absl::InfiniteDuration()));
    answer = AnswerTo(notices.at(0));
    ++*trips;
  }
}

// Beside a controller that holds @pid at both ends of each call.
absl::StatusOr<double> BesideController(pid_t pid) {
  Shared trips;
  ASSIGN_OR_RETURN(const Child controller, Child::Run([&]() -> int {
                     const absl::Status status = Control(pid, &*trips);
                     std::fprintf(stderr, "controller: %s\n",
                                  std::string(status.message()).c_str());
                     return 1;
                   }));
  RETURN_IF_ERROR(trips.WaitFor(100, "the controller to hold the other process"));
  const uint64_t before = *trips;
  const double cost = GetpidCost();
  if (*trips - before < kBatches) {
    return absl::InternalError("the other process was hardly held meanwhile");
  }
  return cost;
}

int ExecTrace(pid_t pid, const std::string& lines, const std::string& errors) {
  const int fd = open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) return 126;
  execlp("utracectl", "utracectl", "trace", "-p", std::to_string(pid).c_str(), "-o", lines.c_str(),
         static_cast<char*>(nullptr));
  return 127;
}

off_t SizeOf(const std::string& path) {
  struct stat stat {};
  return ::stat(path.c_str(), &stat) == 0 ? stat.st_size : 0;
}

absl::Status WaitForLines(const std::string& path, off_t more_than) {
  const absl::Time end = absl::Now() + absl::Minutes(1);
  while (SizeOf(path) <= more_than) {
    if (absl::Now() > end) return absl::DeadlineExceededError("utracectl trace writes no lines");
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::OkStatus();
}

// Beside `utracectl trace -p` of @pid.
absl::StatusOr<double> BesideTrace(pid_t pid) {
  const std::string base = absl::StrCat("/tmp/bench-control-", getpid());
  const std::string lines = base + ".lines", errors = base + ".errors";
  ASSIGN_OR_RETURN(Child tracer, Child::Run([&] { return ExecTrace(pid, lines, errors); }));
  RETURN_IF_ERROR(WaitForLines(lines, 0));
  const off_t before = SizeOf(lines);
  const double cost = GetpidCost();
  // It did record all the time.
  RETURN_IF_ERROR(WaitForLines(lines, before));
  kill(tracer.Pid(), SIGINT);
  ASSIGN_OR_RETURN([[maybe_unused]] const int status, tracer.Wait());
  std::ifstream file(errors);
  const std::string said((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  unlink(lines.c_str());
  unlink(errors.c_str());
  if (said.find(" events, ") == std::string::npos) {
    return absl::InternalError(absl::StrCat("utracectl trace: ", said));
  }
  return cost;
}

}  // namespace

absl::Status MeasureBystander() {
  RETURN_IF_ERROR(StayOnOneCpu());
  ASSIGN_OR_RETURN(const Child other, Other());
  Tell("bystander.alone", GetpidCost());
  if (access(UTRACE_DEVICE, F_OK) == 0) {
    ASSIGN_OR_RETURN(const double controlled, BesideController(other.Pid()));
    Tell("bystander.controlled", controlled);
  }
  ASSIGN_OR_RETURN(const double traced, BesideTrace(other.Pid()));
  Tell("bystander.traced", traced);
  return absl::OkStatus();
}

}  // namespace utrace::bench
