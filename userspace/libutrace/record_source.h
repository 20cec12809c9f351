// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_LIBUTRACE_RECORD_SOURCE_H_
#define UTRACE_LIBUTRACE_RECORD_SOURCE_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "userspace/libutrace/frames.h"

namespace utrace {

// Where records come from: a running observer or a file. Records of one thread come in order;
// those of different CPUs nearly so.
class RecordSource {
 public:
  // Gets whole frames (frames.h), valid during the call only.
  using Sink = absl::FunctionRef<absl::Status(Bytes frames)>;

  virtual ~RecordSource() = default;

  // Gives what is there to `sink`; if nothing is, waits up to `timeout` for something. A signal
  // may end the waiting early.
  virtual absl::Status Read(absl::Duration timeout, Sink sink) = 0;

  // Nothing more will come.
  virtual bool AtEnd() const = 0;

  // Records that the kernel could not place, so far.
  virtual absl::StatusOr<uint64_t> Dropped() const = 0;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_RECORD_SOURCE_H_
