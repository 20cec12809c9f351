// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_REGISTER_READER_H_
#define UTRACE_LIBUTRACE_BPF_REGISTER_READER_H_

#include <sys/types.h>

#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "include/uapi/utrace_registers.h"

struct registers_bpf;
struct bpf_link;

namespace utrace {

// The user registers of a process's threads while they are in the kernel, or wait for a CPU. It
// stops nobody: what it says of a thread is true for as long as that does not run.
class RegisterReader {
 public:
  // Needs what an observer needs: CheckCanObserve() says it.
  static absl::StatusOr<std::unique_ptr<RegisterReader>> Open(pid_t pid);
  ~RegisterReader();
  RegisterReader(const RegisterReader&) = delete;
  RegisterReader& operator=(const RegisterReader&) = delete;

  // By thread. Those that have ended, or are about to, are not there.
  absl::StatusOr<std::map<pid_t, utrace_thread_registers>> Read();

 private:
  RegisterReader(registers_bpf* programs, bpf_link* iterator)
      : programs_(programs), iterator_(iterator) {}

  registers_bpf* programs_;
  bpf_link* iterator_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_REGISTER_READER_H_
