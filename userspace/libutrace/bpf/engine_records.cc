// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_records.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/decode/quote.h"

namespace utrace {
namespace {

// UTRACE_RECORDS() of bpf/include/utrace.bpf.h: the map, and a pointer that has the type.
constexpr char kTypeVariable[] = "utrace_record";

// 0: there is none.
uint32_t RecordType(const btf* types) {
  const int variable = btf__find_by_name_kind(types, kTypeVariable, BTF_KIND_VAR);
  if (variable < 0) return 0;
  const btf_type* var = btf__type_by_id(types, static_cast<uint32_t>(variable));
  const btf_type* pointer = btf__type_by_id(types, var->type);
  if (!btf_is_ptr(pointer)) return 0;
  const int structure = btf__resolve_type(types, pointer->type);
  if (structure < 0) return 0;
  const auto id = static_cast<uint32_t>(structure);
  return btf_is_struct(btf__type_by_id(types, id)) ? id : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EngineRecords>> EngineRecords::Open(const EngineMap& map) {
  const uint32_t type = map.fd < 0 ? 0 : RecordType(map.types);
  if (type == 0) return nullptr;
  std::unique_ptr<EngineRecords> records(new EngineRecords());
  records->fields_ = DescribeMembers(map.types, type);
  records->ring_ = ring_buffer__new(map.fd, Sample, records.get(), nullptr);
  if (records->ring_ == nullptr) return LastErrno("read the engine's records");
  return records;
}

EngineRecords::~EngineRecords() { ring_buffer__free(ring_); }

int EngineRecords::PollFd() const { return ring_buffer__epoll_fd(ring_); }

int EngineRecords::Sample(void* self, void* data, size_t size) {
  auto* records = static_cast<EngineRecords*>(self);
  records->taken_.push_back(records->Describe(static_cast<const char*>(data), size));
  return 0;
}

EngineRecord EngineRecords::Describe(const char* data, size_t size) const {
  EngineRecord record;
  for (const EngineField& field : fields_) {
    if (field.offset + field.size > size) break;  // a shorter record: what it has
    const std::string value = FieldText(field, data);
    absl::StrAppend(&record.text, record.text.empty() ? "" : " ", field.name, "=",
                    field.kind == EngineField::Kind::kText ? Quote(value) : value);
    if (field.kind == EngineField::Kind::kHeld) {
      record.held = static_cast<pid_t>(FieldNumber(field, data));
    }
  }
  return record;
}

absl::StatusOr<std::vector<EngineRecord>> EngineRecords::Take() {
  const int taken = ring_buffer__consume(ring_);
  if (taken < 0) return ErrnoStatus(-taken, "read the engine's records");
  return std::exchange(taken_, {});
}

}  // namespace utrace
