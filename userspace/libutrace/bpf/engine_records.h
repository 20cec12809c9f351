// SPDX-License-Identifier: Apache-2.0
// What an engine's programs tell: the records of its UTRACE_RECORDS(), as text by their type.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_RECORDS_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_RECORDS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "userspace/libutrace/bpf/engine_field.h"
#include "userspace/libutrace/bpf/engine_map.h"

struct ring_buffer;

namespace utrace {

struct EngineRecord {
  std::string text;  // its members, in the order of the type, as a line
  pid_t held = 0;    // a thread that it says the engine holds; in the initial pid namespace
};

class EngineRecords {
 public:
  // Of kRecordsMap; nullptr if the engine has none.
  static absl::StatusOr<std::unique_ptr<EngineRecords>> Open(const EngineMap& map);
  ~EngineRecords();
  EngineRecords(const EngineRecords&) = delete;
  EngineRecords& operator=(const EngineRecords&) = delete;

  // Readable when there are records.
  int PollFd() const;
  // Those that are there.
  absl::StatusOr<std::vector<EngineRecord>> Take();

 private:
  EngineRecords() = default;
  static int Sample(void* self, void* data, size_t size);
  EngineRecord Describe(const char* data, size_t size) const;

  std::vector<EngineField> fields_;
  std::vector<EngineRecord> taken_;
  ring_buffer* ring_ = nullptr;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_RECORDS_H_
