// SPDX-License-Identifier: Apache-2.0
// docs/json.schema.json and docs/json-control.schema.json, to hold lines against.
#ifndef UTRACE_UTRACECTL_TESTING_JSON_SCHEMA_H_
#define UTRACE_UTRACECTL_TESTING_JSON_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace utrace {

class JsonSchema {
 public:
  // As they were when this program was built.
  enum class Of { kEvents, kControl };
  explicit JsonSchema(Of lines = Of::kEvents);
  ~JsonSchema();

  // Empty if `line` fits, else what does not.
  std::string Complaint(absl::string_view line) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_TESTING_JSON_SCHEMA_H_
