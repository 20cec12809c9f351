// SPDX-License-Identifier: Apache-2.0
#include "vm/init/job.h"

#include <cstdlib>
#include <string_view>

#include "vm/init/guest.h"

namespace utrace::vm {

Job ReadJob(const std::string& path) {
  Job job;
  const std::string text = ReadFile(path);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view record = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), record.size() + 1));
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) Fail("job record without '=': " + std::string(record));
    const std::string_view key = record.substr(0, equals);
    const std::string value(record.substr(equals + 1));
    if (key == "shell") {
      job.shell = value == "1";
    } else if (key == "verdict") {
      job.verdict = value == "1";
    } else if (key == "rows") {
      job.rows = std::atoi(value.c_str());
    } else if (key == "columns") {
      job.columns = std::atoi(value.c_str());
    } else if (key == "module") {
      job.module = value;
    } else if (key == "mount") {
      const size_t colon = value.find(':');
      if (colon == std::string::npos) Fail("mount without ':': " + value);
      job.mounts.push_back({value.substr(0, colon), value.substr(colon + 1)});
    } else if (key == "env") {
      job.environment.push_back(value);
    } else if (key == "arg") {
      job.arguments.push_back(value);
    } else {
      Fail("unknown job record: " + std::string(record));
    }
  }
  if (job.arguments.empty()) Fail("job without a command");
  return job;
}

}  // namespace utrace::vm
