// SPDX-License-Identifier: Apache-2.0
// Until the distribution's Abseil has its own.
#ifndef UTRACE_BASE_STATUS_MACROS_H_
#define UTRACE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define UTRACE_CONCAT_INNER_(a, b) a##b
#define UTRACE_CONCAT_(a, b) UTRACE_CONCAT_INNER_(a, b)

#define RETURN_IF_ERROR(expr)                           \
  do {                                                  \
    if (absl::Status status_ = (expr); !status_.ok()) { \
      return status_;                                   \
    }                                                   \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL_(UTRACE_CONCAT_(status_or_, __LINE__), lhs, expr)

#define ASSIGN_OR_RETURN_IMPL_(result, lhs, expr)      \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)

#endif  // UTRACE_BASE_STATUS_MACROS_H_
