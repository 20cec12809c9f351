// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/testing/json_schema.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "json_control_schema_text.h"
#include "json_schema_text.h"

namespace utrace {
namespace {

rapidjson::Document Parse(absl::string_view text) {
  rapidjson::Document document;
  document.Parse(text.data(), text.size());
  return document;
}

}  // namespace

struct JsonSchema::Impl {
  explicit Impl(absl::string_view text) : document(Parse(text)) {}
  rapidjson::Document document;
  rapidjson::SchemaDocument schema{document};
};

JsonSchema::JsonSchema(Of lines)
    : impl_(
          std::make_unique<Impl>(lines == Of::kEvents ? kJsonSchemaText : kJsonControlSchemaText)) {
  if (impl_->document.HasParseError()) std::abort();  // a schema that is no JSON checks nothing
}

JsonSchema::~JsonSchema() = default;

std::string JsonSchema::Complaint(absl::string_view line) const {
  const rapidjson::Document document = Parse(line);
  if (document.HasParseError()) {
    return absl::StrCat("no JSON: ", rapidjson::GetParseError_En(document.GetParseError()), ": ",
                        line);
  }
  rapidjson::SchemaValidator validator(impl_->schema);
  if (document.Accept(validator)) return {};
  rapidjson::StringBuffer where;
  validator.GetInvalidDocumentPointer().StringifyUriFragment(where);
  return absl::StrCat("breaks ", validator.GetInvalidSchemaKeyword(), " at ", where.GetString(),
                      ": ", line);
}

}  // namespace utrace
