// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_UTRACECTL_OUTPUT_EVENT_WRITER_H_
#define UTRACE_UTRACECTL_OUTPUT_EVENT_WRITER_H_

#include <string>

#include "userspace/libutrace/event.h"
#include "userspace/libutrace/event_stream.h"

namespace utrace {

// Events as lines, each appended with its newline.
class EventWriter {
 public:
  virtual ~EventWriter() = default;
  virtual void Write(const Event& event, std::string* out) = 0;
  // After the last event.
  virtual void Finish(const EventStream::Totals& totals, std::string* out) = 0;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_EVENT_WRITER_H_
