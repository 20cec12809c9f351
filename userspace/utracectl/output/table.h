// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_UTRACECTL_OUTPUT_TABLE_H_
#define UTRACE_UTRACECTL_OUTPUT_TABLE_H_

#include <string>
#include <vector>

namespace utrace {

// Rows in columns as wide as their widest cell, the last one as it is. The first row is the head.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_TABLE_H_
