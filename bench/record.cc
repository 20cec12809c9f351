// SPDX-License-Identifier: Apache-2.0
// The least program that records a command by libutrace: what `utracectl record -o` does, without
// the command line round it.
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/libutrace/held_command.h"
#include "userspace/libutrace/record_file.h"

namespace utrace {
namespace {

absl::Status Record(int cpu, const std::string& path, const std::vector<std::string>& argv) {
  std::vector<utrace_copy_rules> rules(UTRACE_SYSCALLS);
  rules[SYS_getpid].args = 1;
  ObserverOptions options;
  options.rules_x86_64 = rules;
  ASSIGN_OR_RETURN(std::unique_ptr<Observer> observer, Observer::Create(options));
  ASSIGN_OR_RETURN(std::unique_ptr<RecordWriter> writer,
                   RecordWriter::Create(path, DescribeThisMachine()));
  ASSIGN_OR_RETURN(HeldCommand command, HeldCommand::Spawn(argv, std::nullopt));
  RETURN_IF_ERROR(observer->AddProcessAtExec(command.Pid()));
  // After the command was made, which is free to run elsewhere.
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (cpu >= 0) ::sched_setaffinity(0, sizeof(set), &set);
  RETURN_IF_ERROR(command.Release());
  while (!observer->AtEnd()) {
    RETURN_IF_ERROR(
        observer->Read(absl::Seconds(1), [&](Bytes frames) { return writer->Append(frames); }));
  }
  ASSIGN_OR_RETURN(const uint64_t dropped, observer->Dropped());
  RETURN_IF_ERROR(writer->Finish(dropped));
  ASSIGN_OR_RETURN([[maybe_unused]] const int status, command.Wait());
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  std::fprintf(stderr, "%llu records, %llu dropped, %.3f s user, %.3f s system\n",
               static_cast<unsigned long long>(writer->Records()),
               static_cast<unsigned long long>(dropped), seconds(usage.ru_utime),
               seconds(usage.ru_stime));
  return absl::OkStatus();
}

}  // namespace
}  // namespace utrace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_record CPU FILE COMMAND...\n");
    return 2;
  }
  const absl::Status status =
      utrace::Record(std::atoi(argv[1]), argv[2], std::vector<std::string>(argv + 3, argv + argc));
  if (status.ok()) return 0;
  std::fprintf(stderr, "bench_record: %s\n", std::string(status.message()).c_str());
  return 1;
}
