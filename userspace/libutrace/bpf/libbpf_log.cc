// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/libbpf_log.h"

#include <cstdarg>
#include <cstdio>

#include "absl/strings/strip.h"

namespace utrace {
namespace {

// A verifier's log can be megabytes; the reason is in its last lines.
constexpr size_t kKept = 4096;

// libbpf's callback has no place for a pointer of ours.
thread_local LibbpfLog* current = nullptr;

int Print(libbpf_print_level level, const char* format, va_list arguments) {
  if (current && level != LIBBPF_DEBUG) current->Keep(format, arguments);
  return 0;
}

}  // namespace

LibbpfLog::LibbpfLog() : previous_(libbpf_set_print(Print)), outer_(current) { current = this; }

LibbpfLog::~LibbpfLog() {
  current = outer_;
  libbpf_set_print(previous_);
}

void LibbpfLog::Keep(const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int n = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (n <= 0) return;
  const size_t old = text_.size();
  text_.resize(old + static_cast<size_t>(n) + 1);
  std::vsnprintf(text_.data() + old, static_cast<size_t>(n) + 1, format, arguments);
  text_.pop_back();
  if (text_.size() > 2 * kKept) text_.erase(0, text_.size() - kKept);
}

std::string LibbpfLog::Tail() const {
  absl::string_view tail = text_;
  if (tail.size() > kKept) {
    tail.remove_prefix(tail.size() - kKept);
    tail.remove_prefix(std::min(tail.size(), tail.find('\n') + 1));
  }
  return std::string(absl::StripSuffix(tail, "\n"));
}

}  // namespace utrace
