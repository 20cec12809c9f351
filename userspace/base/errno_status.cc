// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/errno_status.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace utrace {
namespace {

constexpr char kErrnoPayload[] = "utrace/errno";

}  // namespace

std::string ErrnoText(int error) {
  const char* text = ::strerrordesc_np(error);
  return text ? text : absl::StrCat("error ", error);
}

absl::Status ErrnoStatus(int error, absl::string_view what) {
  return ErrnoStatus(error, what, ErrnoText(error));
}

absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view why) {
  if (error == 0) return absl::OkStatus();
  absl::Status status(absl::ErrnoToStatusCode(error), absl::StrCat(what, ": ", why));
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(error)));
  return status;
}

absl::Status LastErrno(absl::string_view what) { return ErrnoStatus(errno, what); }

absl::Status FromNegErrno(int result, absl::string_view what) {
  return result >= 0 ? absl::OkStatus() : ErrnoStatus(-result, what);
}

int ErrnoOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrnoPayload);
  int error = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &error)) return 0;
  return error;
}

absl::Status Annotate(const absl::Status& status, absl::string_view text,
                      absl::string_view separator) {
  if (status.ok() || text.empty()) return status;
  absl::Status longer(status.code(), absl::StrCat(status.message(), separator, text));
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { longer.SetPayload(url, payload); });
  return longer;
}

}  // namespace utrace
