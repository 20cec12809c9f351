// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_UTRACECTL_OUTPUT_JSON_H_
#define UTRACE_UTRACECTL_OUTPUT_JSON_H_

#include <string>

#include "userspace/libutrace/decode/call_text.h"
#include "userspace/utracectl/output/event_writer.h"

namespace utrace {

// One JSON object a line; docs/json.md and docs/json.schema.json say what is in it.
class JsonWriter : public EventWriter {
 public:
  explicit JsonWriter(const DecodeOptions& options) : options_(options) {}

  void Write(const Event& event, std::string* out) override;
  void Finish(const EventStream::Totals& totals, std::string* out) override;

 private:
  DecodeOptions options_;
  uint64_t last_ns_ = 0;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_JSON_H_
