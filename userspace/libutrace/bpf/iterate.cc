// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/iterate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>

#include "userspace/base/errno_status.h"
#include "userspace/base/unique_fd.h"

namespace utrace {

absl::Status RunIterator(bpf_link* iterator, std::vector<char>& output) {
  output.clear();
  const UniqueFd fd(bpf_iter_create(bpf_link__fd(iterator)));
  if (!fd) return LastErrno("look at all threads by a BPF iterator");
  for (;;) {
    const size_t have = output.size();
    output.resize(have + 65536);
    const ssize_t n = ::read(fd.Get(), output.data() + have, 65536);
    output.resize(have + static_cast<size_t>(n > 0 ? n : 0));
    if (n == 0) return absl::OkStatus();
    if (n < 0 && errno != EINTR && errno != EAGAIN) return LastErrno("read a BPF iterator");
  }
}

}  // namespace utrace
