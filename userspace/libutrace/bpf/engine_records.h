// SPDX-License-Identifier: Apache-2.0
// What an engine's programs tell: the records of its UTRACE_RECORDS(), as text by their type.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_RECORDS_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_RECORDS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "userspace/libutrace/bpf/engine_field.h"

struct bpf_object;
struct ring_buffer;

namespace utrace {

class EngineRecords {
 public:
  // Of an object that is loaded; nullptr if it has none.
  static absl::StatusOr<std::unique_ptr<EngineRecords>> Open(const bpf_object* object);
  ~EngineRecords();
  EngineRecords(const EngineRecords&) = delete;
  EngineRecords& operator=(const EngineRecords&) = delete;

  // Readable when there are records.
  int PollFd() const;
  // A line for each that is there: its members, in the order of the type.
  absl::StatusOr<std::vector<std::string>> Take();

 private:
  EngineRecords() = default;
  static int Sample(void* self, void* data, size_t size);
  std::string Text(const char* data, size_t size) const;

  std::vector<EngineField> fields_;
  std::vector<std::string> taken_;
  ring_buffer* ring_ = nullptr;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_RECORDS_H_
