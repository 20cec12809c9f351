// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/injection.h"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "include/uapi/utrace_bpf.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/syscall_table.h"
#include "userspace/libutrace/predicate/expression.h"

namespace utrace {
namespace {

constexpr int kMaxErrno = 4095;
constexpr int kMaxSignal = 64;

// Decimal, or hexadecimal with 0x; with a sign it is the same bits.
std::optional<uint64_t> ParseBits(absl::string_view text) {
  uint64_t bits = 0;
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &bits)) return bits;
  if (absl::SimpleAtoi(text, &number)) return static_cast<uint64_t>(number);
  if (absl::StartsWith(text, "0x") && absl::SimpleHexAtoi(text, &bits)) return bits;
  return std::nullopt;
}

std::optional<int> ParseNamed(absl::string_view text, int named, int last) {
  int number = named;
  if (number == 0 && !absl::SimpleAtoi(text, &number)) return std::nullopt;
  if (number < 1 || number > last) return std::nullopt;
  return number;
}

std::optional<uint32_t> ParseMicroseconds(absl::string_view text) {
  double scale = 1;
  if (absl::ConsumeSuffix(&text, "us")) {
    scale = 1;
  } else if (absl::ConsumeSuffix(&text, "ms")) {
    scale = 1e3;
  } else if (absl::ConsumeSuffix(&text, "s")) {
    scale = 1e6;
  }
  double number = 0;
  if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) return std::nullopt;
  const double microseconds = std::round(number * scale);
  if (microseconds < 1 || microseconds * 1e3 > static_cast<double>(UTRACE_BPF_DELAY_MAX)) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(microseconds);
}

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) { injection_.text = std::string(text); }

  absl::StatusOr<Injection> Run() {
    std::vector<absl::string_view> words = absl::StrSplit(text_, ':');
    RETURN_IF_ERROR(TakeCalls(words.front()));
    size_t at = words.front().size() + 1;
    for (size_t i = 1; i < words.size(); ++i) {
      if (absl::StartsWith(words[i], "if=")) {
        RETURN_IF_ERROR(TakeCondition(text_.substr(at + 3)));
        break;
      }
      RETURN_IF_ERROR(TakeAction(words[i]));
      at += words[i].size() + 1;
    }
    if (!acts_) {
      return Wrong("it does nothing: give error=, retval=, signal=, delay= or arg0= to arg5=");
    }
    // The engine's own default is an error.
    if (!fails_ && !gives_) Set("error", "0");
    Set("each_thread", "true");
    Set("first", "true");
    Set("tells", "true");
    Compose();
    return injection_;
  }

 private:
  absl::Status Wrong(absl::string_view why) const {
    return ErrnoStatus(EINVAL, absl::StrCat("inject ", text_), why);
  }

  void Set(absl::string_view name, absl::string_view value) {
    injection_.settings.emplace_back(name, value);
  }

  absl::Status TakeCalls(absl::string_view calls) {
    if (calls == "all") return absl::OkStatus();
    for (const absl::string_view name : absl::StrSplit(calls, ',')) {
      if (!SyscallNumber(Abi::kX8664, name).has_value() &&
          !SyscallNumber(Abi::kI386, name).has_value()) {
        return Wrong(absl::StrCat("there is no system call '", name,
                                  "'; it begins with names of calls, or 'all', as in "
                                  "openat,open:error=ENOENT"));
      }
      calls_.emplace_back(name);
    }
    return absl::OkStatus();
  }

  absl::Status TakeCondition(absl::string_view condition) {
    // By itself first: what is wrong is then shown at its place.
    RETURN_IF_ERROR(ParseExpression(condition, Moment::kEntry).status());
    condition_ = std::string(condition);
    return absl::OkStatus();
  }

  absl::Status TakeAction(absl::string_view action) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(action, absl::MaxSplits('=', 1));
    const auto& [name, value] = parts;
    if (name == "when") return TakeWhen(value);
    acts_ = true;
    if (name == "error") return TakeError(value);
    if (name == "retval") return TakeResult(value);
    if (name == "signal") return TakeSignal(value);
    if (name == "delay" || name == "delay_enter") return TakeDelay(value);
    if (name.size() == 4 && absl::StartsWith(name, "arg") && name[3] >= '0' && name[3] <= '5') {
      return TakeArgument(name.substr(3), value);
    }
    return Wrong(absl::StrCat("it does not know '", name,
                              "': there are error, retval, signal, delay, arg0 to arg5, when, if"));
  }

  absl::Status TakeError(absl::string_view value) {
    const std::optional<int> error = ParseNamed(value, ErrnoNumber(value), kMaxErrno);
    if (!error.has_value()) {
      return Wrong(absl::StrCat("'", value, "' is no errno, as ENOENT is, nor a number of one"));
    }
    if (gives_) return Wrong("a call has an error or a retval, not both");
    fails_ = true;
    Set("error", absl::StrCat(*error));
    return absl::OkStatus();
  }

  absl::Status TakeResult(absl::string_view value) {
    const std::optional<uint64_t> result = ParseBits(value);
    if (!result.has_value()) return Wrong(absl::StrCat("'", value, "' is no number"));
    if (fails_) return Wrong("a call has an error or a retval, not both");
    gives_ = true;
    Set("gives", "true");
    Set("value", absl::StrCat(static_cast<int64_t>(*result)));
    return absl::OkStatus();
  }

  absl::Status TakeSignal(absl::string_view value) {
    const std::optional<int> signo = ParseNamed(value, SignalNumber(value), kMaxSignal);
    if (!signo.has_value()) {
      return Wrong(absl::StrCat("'", value, "' is no signal; 'kill -l' lists them"));
    }
    Set("signal", absl::StrCat(*signo));
    return absl::OkStatus();
  }

  absl::Status TakeDelay(absl::string_view value) {
    const std::optional<uint32_t> microseconds = ParseMicroseconds(value);
    if (!microseconds.has_value()) {
      return Wrong(absl::StrCat("'", value,
                                "' is no time from 1us to 3600s; a number alone is of "
                                "microseconds, as in delay=20ms or delay=20000"));
    }
    Set("delay", absl::StrCat(*microseconds));
    return absl::OkStatus();
  }

  absl::Status TakeArgument(absl::string_view which, absl::string_view value) {
    const std::optional<uint64_t> bits = ParseBits(value);
    if (!bits.has_value()) return Wrong(absl::StrCat("'", value, "' is no number"));
    if (argument_) return Wrong("it changes one argument; give two injections for two");
    argument_ = true;
    Set("argument", which);
    Set("becomes", absl::StrCat(*bits));
    return absl::OkStatus();
  }

  absl::Status TakeWhen(absl::string_view when) {
    constexpr char kForm[] =
        "it is when=FIRST[..LAST][+[STEP]], counted from 1 in each thread: 3 is the third, 3+ all "
        "from there, 3+2 every other of those, 3..5 the third to the fifth";
    absl::string_view range = when;
    uint32_t step = 0;
    const size_t plus = when.find('+');
    if (plus != absl::string_view::npos) {
      const absl::string_view text = when.substr(plus + 1);
      step = 1;
      if (!text.empty() && (!absl::SimpleAtoi(text, &step) || step == 0)) return Wrong(kForm);
      range = when.substr(0, plus);
    }
    const std::vector<absl::string_view> ends = absl::StrSplit(range, "..");
    uint32_t first = 0;
    uint32_t last = 0;
    if (ends.size() > 2 || !absl::SimpleAtoi(ends[0], &first) || first == 0) return Wrong(kForm);
    if (ends.size() == 2) {
      if (!absl::SimpleAtoi(ends[1], &last) || last < first) return Wrong(kForm);
    } else if (step == 0) {
      last = first;
    }
    Set("after", absl::StrCat(first - 1));
    Set("every", absl::StrCat(step == 0 ? 1 : step));
    Set("until", absl::StrCat(last));
    return absl::OkStatus();
  }

  void Compose() {
    std::vector<std::string> terms;
    if (!calls_.empty())
      terms.push_back(absl::StrCat("call in (", absl::StrJoin(calls_, ", "), ")"));
    if (!condition_.empty()) terms.push_back(absl::StrCat("(", condition_, ")"));
    // Without a call and an expression the engine would be about none.
    if (terms.empty()) terms.emplace_back("pid > 0");
    injection_.expression = absl::StrJoin(terms, " && ");
  }

  absl::string_view text_;
  Injection injection_;
  std::vector<std::string> calls_;
  std::string condition_;
  bool acts_ = false;
  bool fails_ = false;
  bool gives_ = false;
  bool argument_ = false;
};

}  // namespace

absl::StatusOr<Injection> ParseInjection(absl::string_view text) { return Parser(text).Run(); }

}  // namespace utrace
