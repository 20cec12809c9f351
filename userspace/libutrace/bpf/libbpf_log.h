// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_LIBBPF_LOG_H_
#define UTRACE_LIBUTRACE_BPF_LIBBPF_LOG_H_

#include <bpf/libbpf.h>

#include <string>

namespace utrace {

// While it lives, what libbpf would print to stderr in this thread is kept instead, to go into the
// error that it explains.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // The last lines, without a newline at the end.
  std::string Tail() const;

  void Keep(const char* format, va_list arguments);

 private:
  libbpf_print_fn_t previous_;
  LibbpfLog* outer_;
  std::string text_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_LIBBPF_LOG_H_
