// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/register_reader.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "registers_bpf.skel.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/iterate.h"
#include "userspace/libutrace/bpf/libbpf_log.h"
#include "userspace/libutrace/bpf/privileges.h"

namespace utrace {

absl::StatusOr<std::unique_ptr<RegisterReader>> RegisterReader::Open(pid_t pid) {
  RETURN_IF_ERROR(CheckCanObserve());
  const std::string attempt = absl::StrCat("read the registers of process ", pid);
  const LibbpfLog log;
  registers_bpf* programs = registers_bpf::open_and_load();
  if (programs == nullptr) return Annotate(LastErrno(attempt), log.Tail(), "\n");
  bpf_iter_link_info which{};
  which.task.pid = static_cast<__u32>(pid);
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &which, .link_info_len = sizeof(which));
  bpf_link* iterator = bpf_program__attach_iter(programs->progs.read_registers, &options);
  if (iterator == nullptr) {
    const absl::Status failed = Annotate(LastErrno(attempt), log.Tail(), "\n");
    registers_bpf::destroy(programs);
    return failed;
  }
  return std::unique_ptr<RegisterReader>(new RegisterReader(programs, iterator));
}

RegisterReader::~RegisterReader() {
  bpf_link__destroy(iterator_);
  registers_bpf::destroy(programs_);
}

absl::StatusOr<std::map<pid_t, utrace_thread_registers>> RegisterReader::Read() {
  std::vector<char> output;
  RETURN_IF_ERROR(RunIterator(iterator_, output));
  std::map<pid_t, utrace_thread_registers> threads;
  for (size_t at = 0; at + sizeof(utrace_thread_registers) <= output.size();
       at += sizeof(utrace_thread_registers)) {
    const auto& thread = *reinterpret_cast<const utrace_thread_registers*>(output.data() + at);
    threads[static_cast<pid_t>(thread.tid)] = thread;
  }
  return threads;
}

}  // namespace utrace
