// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_BPF_TRACEPOINTS_H_
#define UTRACE_LIBUTRACE_BPF_TRACEPOINTS_H_

namespace utrace {

// Whether a thread may lose its CPU in the middle of a tracepoint's programs, which the kernel then
// skips for other threads (since 7.0).
bool TracepointsArePreemptible();

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_TRACEPOINTS_H_
