// SPDX-License-Identifier: Apache-2.0
// docs/json.schema.json, to hold lines against.
#ifndef UTRACE_UTRACECTL_TESTING_JSON_SCHEMA_H_
#define UTRACE_UTRACECTL_TESTING_JSON_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace utrace {

class JsonSchema {
 public:
  // The one compiled into this program.
  JsonSchema();
  ~JsonSchema();

  // Empty if `line` fits, else what does not.
  std::string Complaint(absl::string_view line) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_TESTING_JSON_SCHEMA_H_
