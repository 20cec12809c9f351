// SPDX-License-Identifier: Apache-2.0
// What is measured.  Each prints its results as lines "name value".
#ifndef BENCH_CONTROL_MEASURES_H_
#define BENCH_CONTROL_MEASURES_H_

#include "absl/status/status.h"

namespace utrace::bench {

// One stop at a system call's entry, answered: by /dev/utrace, by libutrace, by ptrace.
absl::Status MeasureRoundTrip();

// getpid of a thread that nobody traces: alone; while a controller holds another process at each
// call (with the module); while `utracectl trace -p` of another process runs.
absl::Status MeasureBystander();

// Attach to all of a process with 1,000 threads, choose events, detach.
absl::Status MeasureGroup();

// Kernel memory for 10,000 traced threads, and for a second engine on each.
absl::Status MeasureFootprint();

// A signal that is handled, and a process that stops and goes on by job control: bare, and told to
// an engine of the kernel that lets it happen.
absl::Status MeasureReported();

// A step: by a session, by ptrace, and decided by an engine of the kernel.
absl::Status MeasureStep();

// getpid of a thread with many engines, that hear of it and that do not, and beside many other
// threads that have engines.
absl::Status MeasureEngines();

// getpid of a thread with an engine in BPF that lets it pass, or refuses it: beside two empty BPF
// programs at the tracepoints, a seccomp filter, and a thread without any.
absl::Status MeasureBpf();

// The first attach, which puts the hooks in, and the last detach.
absl::Status MeasureFirstAttach();

}  // namespace utrace::bench

#endif  // BENCH_CONTROL_MEASURES_H_
