// SPDX-License-Identifier: Apache-2.0
// The JSON Lines of ps, stack, engine and status; docs/json-control.md says what is in them.
#ifndef UTRACE_UTRACECTL_OUTPUT_CONTROL_JSON_H_
#define UTRACE_UTRACECTL_OUTPUT_CONTROL_JSON_H_

#include <cstdint>
#include <string>

#include "include/uapi/utrace.h"
#include "userspace/libutrace/engine_view.h"
#include "userspace/symbols/stack_view.h"

namespace utrace {

// `now_ns`: CLOCK_MONOTONIC. All give one line with its end.
std::string ThreadJson(const ThreadView& thread, uint64_t now_ns);
std::string StackJson(const ThreadView& thread, const StackView& stack, uint64_t now_ns);
std::string EngineJson(const EngineView& engine, uint64_t now_ns);
std::string ObserverJson(const RunningObserver& observer, uint64_t now_ns);
std::string LoadedEngineJson(const LoadedEngine& engine, uint64_t now_ns);

struct SystemStatus {
  std::string version;  // the tool's
  std::string kernel;
  std::string machine;
  bool module_answers = false;
  std::string module_error;  // why not
  bool module_has_btf = false;
  utrace_features features{};
};
std::string StatusJson(const SystemStatus& status, uint64_t now_ns);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_CONTROL_JSON_H_
