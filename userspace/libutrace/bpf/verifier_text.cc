// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/verifier_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace utrace {
namespace {

struct Advice {
  const char* complaint;  // a part of it
  const char* text;
};

constexpr char kNoPointer[] =
    "It follows a number that the verifier does not know as a pointer: the thread's memory is read "
    "by bpf_utrace_read_user(), the kernel's by BPF_CORE_READ().";

// How 7.3 points at the complaint, within a longer report.
constexpr char kErrorMark[] = "^-- error: ";

constexpr Advice kAdvice[] = {
    {"invalid dereference of R", kNoPointer},
    {"invalid mem access 'scalar'", kNoPointer},
    {"invalid mem access",
     "It follows a pointer that may be NULL, or is not one to be followed: compare it with NULL "
     "first."},
    {"invalid bpf_context access",
     "It reads an argument that this report does not have: see struct utrace_bpf_engine_ops."},
    {"only read is supported",
     "What a report is given is to be read: a call's result is set by "
     "bpf_utrace_set_result()."},
    {"cannot write into",
     "What a report is given is to be read: a call's result is set by "
     "bpf_utrace_set_result()."},
    {"program must be sleepable",
     "It calls what may sleep where nothing may: any report but report_reap is made sleepable by "
     "UTRACE_REPORT()."},
    {"sleepable", "It calls what may sleep where nothing may, as in report_reap, or with a lock."},
    {"unknown func", "There is no such helper for an engine's programs."},
    {"cannot use helper", "There is no such helper for an engine's programs."},
    {"is not allowed", "That function is not for an engine's programs."},
    {"infinite loop detected",
     "Its loop has no end that the verifier can see: bound it by a "
     "constant."},
    {"too large",
     "It is too long to be followed to its end: shorten its loops, or use bpf_loop()."},
    {"too many states",
     "It is too long to be followed to its end: shorten its loops, or use "
     "bpf_loop()."},
    {"unbounded memory access",
     "An index or a size has no limit that the verifier can see: compare "
     "it first."},
    {"invalid access to map value",
     "An index goes beyond the variable or the map's value: compare "
     "it first."},
    {"invalid access to memory",
     "It goes beyond what it was given: compare the index or the size "
     "first."},
    {"!read_ok", "It uses a variable, or an argument, that was never set."},
    {"R0", "A report returns an action: utrace_pass(action) is the one that changes nothing."},
};

// "; if (*p == 1) @ bad.bpf.c:17", as 6.10 and later have it; before there is no place.
std::string PlaceOf(absl::string_view line) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, " @ ");
  const absl::string_view source = absl::StripAsciiWhitespace(absl::StripPrefix(parts[0], "; "));
  if (parts.size() == 1) return absl::StrCat("at '", source, "'");
  return absl::StrCat(parts.back(), ", at '", source, "'");
}

// "libbpf: prog 'on_entry': failed to load: -13"
std::string ProgramOf(const std::vector<absl::string_view>& lines) {
  for (const absl::string_view line : lines) {
    const size_t at = line.find("prog '");
    if (at == absl::string_view::npos || !absl::StrContains(line, "failed to load")) continue;
    const absl::string_view name = line.substr(at + 6);
    return std::string(name.substr(0, name.find('\'')));
  }
  return {};
}

}  // namespace

std::string ExplainVerifier(absl::string_view messages) {
  const std::vector<absl::string_view> lines = absl::StrSplit(messages, '\n');
  const auto end = std::find_if(lines.begin(), lines.end(), [](absl::string_view line) {
    return absl::StartsWith(line, "processed ");
  });
  if (end == lines.end()) return {};
  absl::string_view complaint;
  absl::string_view place;
  for (auto line = end; line != lines.begin();) {
    --line;
    const absl::string_view text = absl::StripAsciiWhitespace(*line);
    if (absl::StartsWith(text, "; ")) {
      if (place.empty()) place = text;
    } else if (const size_t mark = text.find(kErrorMark); mark != absl::string_view::npos) {
      complaint = text.substr(mark + sizeof(kErrorMark) - 1);
    } else if (complaint.empty()) {
      complaint = text;
    }
  }
  if (complaint.empty()) return {};
  const std::string program = ProgramOf(lines);
  std::string explained =
      absl::StrCat(program.empty() ? "a program" : program,
                   place.empty() ? "" : absl::StrCat(", ", PlaceOf(place)), ":\n  ", complaint);
  for (const Advice& advice : kAdvice) {
    if (!absl::StrContains(complaint, advice.complaint)) continue;
    absl::StrAppend(&explained, "\n  ", advice.text);
    break;
  }
  return explained;
}

}  // namespace utrace
