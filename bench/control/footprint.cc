// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/control/child.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/session.h"

namespace utrace::bench {
namespace {

constexpr int kThreads = 10000;

absl::Status Write(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file ? absl::OkStatus() : LastErrno(absl::StrCat("write ", path));
}

// Memory is charged for whoever is in a control group, and that takes memory too: as a user has it.
absl::Status EnterControlGroup() {
  const std::string group = absl::StrCat("/sys/fs/cgroup/bench-", getpid());
  RETURN_IF_ERROR(Write("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
  if (mkdir(group.c_str(), 0755) != 0) return LastErrno(absl::StrCat("make ", group));
  return Write(group + "/cgroup.procs", "0");
}

// All slab memory of the kernel, by whole pages and with what the allocator itself needs: nothing
// that is reachable can be left out.
absl::StatusOr<double> SlabBytes() {
  absl::SleepFor(absl::Seconds(1));
  // The CPUs' own counts, not yet added up.
  RETURN_IF_ERROR(Write("/proc/sys/vm/stat_refresh", "1"));
  std::ifstream file("/proc/meminfo");
  std::string name;
  double kilobytes = 0;
  for (std::string rest; file >> name >> kilobytes; std::getline(file, rest)) {
    if (name == "Slab:") return kilobytes * 1024;
  }
  return absl::InternalError("/proc/meminfo has no line 'Slab:'");
}

class Growth {
 public:
  static absl::StatusOr<Growth> Begin() {
    ASSIGN_OR_RETURN(const double bytes, SlabBytes());
    return Growth(bytes);
  }
  // Since the last call, for each of the threads.
  absl::StatusOr<double> PerThread() {
    ASSIGN_OR_RETURN(const double bytes, SlabBytes());
    return (bytes - std::exchange(bytes_, bytes)) / kThreads;
  }

 private:
  explicit Growth(double bytes) : bytes_(bytes) {}

  double bytes_;
};

absl::Status AttachToAll(Session* session, const UniqueFd& pidfd, pid_t pid) {
  ASSIGN_OR_RETURN(const Engine engine,
                   session->Attach(AttachTarget::Process(pidfd, pid), UTRACE_EVENT_SYSCALL));
  if (engine.Threads() == kThreads) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("attached to ", engine.Threads(), " threads"));
}

}  // namespace

absl::Status MeasureFootprint() {
  RETURN_IF_ERROR(EnterControlGroup());
  ASSIGN_OR_RETURN(const Child threads, Sleepers(kThreads));
  ASSIGN_OR_RETURN(const UniqueFd pidfd, OpenPidfd(threads.Pid()));
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open());
  ASSIGN_OR_RETURN(Growth growth, Growth::Begin());
  ASSIGN_OR_RETURN(const double noise, growth.PerThread());
  RETURN_IF_ERROR(AttachToAll(session.get(), pidfd, threads.Pid()));
  ASSIGN_OR_RETURN(const double first, growth.PerThread());
  Series engine;
  for (int i = 0; i < 3; ++i) {
    RETURN_IF_ERROR(AttachToAll(session.get(), pidfd, threads.Pid()));
    ASSIGN_OR_RETURN(const double another, growth.PerThread());
    engine.Add(another);
  }
  Tell("footprint.engine", engine.Median());
  Tell("footprint.thread", first - engine.Median());
  Tell("footprint.noise", noise);
  return absl::OkStatus();
}

}  // namespace utrace::bench
