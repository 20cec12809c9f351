// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/output/text.h"

#include <signal.h>
#include <sys/wait.h>

#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/quote.h"
#include "userspace/libutrace/decode/struct_text.h"
#include "userspace/utracectl/output/place_text.h"

namespace utrace {
namespace {

constexpr size_t kResultColumn = 40;

void AppendArgs(const CallText& text, size_t from, size_t to, std::string* line) {
  for (size_t i = from; i < to; ++i) {
    absl::StrAppend(line, i == from ? "" : ", ", text.args[i].text);
  }
}

void AppendResult(absl::string_view result, std::string* line) {
  line->append(") ");
  if (line->size() < kResultColumn) line->resize(kResultColumn, ' ');
  absl::StrAppend(line, "= ", result);
}

}  // namespace

std::string SignalInfoText(const SignalEvent& signal) {
  if (signal.no_info) return absl::StrCat("{si_signo=", SignalName(signal.signo), "}");
  std::string out = absl::StrCat("{si_signo=", SignalName(signal.signo),
                                 ", si_code=", SignalCodeText(signal.signo, signal.code));
  const bool from_kernel = signal.code > 0;
  if (from_kernel && signal.signo == SIGCHLD) {
    const std::string status =
        signal.code == CLD_EXITED ? absl::StrCat(signal.status) : SignalName(signal.status);
    absl::StrAppend(&out, ", si_pid=", signal.pid, ", si_uid=", signal.uid, ", si_status=", status,
                    ", si_utime=", signal.utime, ", si_stime=", signal.stime);
  } else if (from_kernel && IsFaultSignal(signal.signo)) {
    absl::StrAppend(&out, ", si_addr=", AddressText(signal.addr));
  } else if (from_kernel && signal.signo == SIGSYS) {
    absl::StrAppendFormat(&out, ", si_call_addr=%s, si_syscall=%d, si_arch=%#x",
                          AddressText(signal.addr), signal.syscall, signal.arch);
  } else if (from_kernel && signal.signo == SIGPOLL) {
    absl::StrAppend(&out, ", si_band=", signal.band, ", si_fd=", signal.fd);
  } else if (signal.code == SI_TIMER) {
    absl::StrAppend(&out, ", si_timerid=", signal.timer_id, ", si_overrun=", signal.overrun);
  } else if (!from_kernel) {
    absl::StrAppend(&out, ", si_pid=", signal.pid, ", si_uid=", signal.uid);
    if (signal.code == SI_QUEUE) {
      absl::StrAppendFormat(&out, ", si_int=%d, si_ptr=%s", static_cast<int32_t>(signal.value),
                            AddressText(signal.value));
    }
  }
  return out + "}";
}

void TextWriter::Write(const Event& event, std::string* out) {
  std::string line;
  if (options_.always_number) {
    line = absl::StrFormat("%-5d ", event.tid);
  } else if (live_ > 1 && event.tid != 0) {
    line = absl::StrFormat("[pid %5d] ", event.tid);
  }
  // Other threads' remains go by themselves.
  if (std::holds_alternative<ReapEvent>(event.body) && event.tid != event.pid) return;
  const size_t prefix = line.size();
  std::visit([&](const auto& body) { Body(body, &line); }, event.body);
  if (line.size() == prefix) return;
  absl::StrAppend(out, line, "\n");
}

// The count of events is for people, and goes where messages go.
void TextWriter::Finish(const EventStream::Totals&, std::string*) {}

void TextWriter::Body(const SyscallEvent& call, std::string* line) {
  const CallText text = DescribeCall(call, options_.decode);
  if (call.resumed) {
    absl::StrAppend(line, "<... ", text.name, " resumed>");
    AppendArgs(text, text.known_at_entry, text.args.size(), line);
  } else {
    absl::StrAppend(line, text.name, "(");
    AppendArgs(text, 0, text.args.size(), line);
  }
  AppendResult(text.result, line);
}

void TextWriter::Body(const PendingEvent& call, std::string* line) {
  const CallText text = DescribeCall(call, options_.decode);
  absl::StrAppend(line, text.name, "(");
  AppendArgs(text, 0, text.known_at_entry, line);
  const bool more = text.known_at_entry < text.args.size();
  absl::StrAppend(line, more && text.known_at_entry ? ", " : "", " <unfinished ...>");
}

// The call that made the child has a line of its own, with the child's number as its result.
void TextWriter::Body(const ForkEvent& fork, std::string*) { live_ += fork.followed ? 1 : 0; }

void TextWriter::Body(const ExecEvent& exec, std::string* line) {
  const std::string name = SyscallName(exec.abi, exec.nr);
  if (exec.resumed) {
    absl::StrAppend(line, "<... ", name, " resumed>");
  } else {
    absl::StrAppend(line, name, "(");
  }
  absl::StrAppend(line, Quote(exec.filename, exec.filename_truncated), ", ",
                  ArgvText(exec.argv, exec.argv_truncated, options_.decode),
                  absl::StrFormat(", /* %d var%s */", exec.envc, exec.envc == 1 ? "" : "s"));
  AppendResult("0", line);
}

void TextWriter::Body(const ExitEvent& exit, std::string* line) {
  if (WIFSIGNALED(exit.status)) {
    absl::StrAppend(line, "+++ killed by ", SignalName(WTERMSIG(exit.status)),
                    WCOREDUMP(exit.status) ? " (core dumped)" : "", " +++");
  } else {
    absl::StrAppend(line, "+++ exited with ", WEXITSTATUS(exit.status), " +++");
  }
  if (live_ > 0) --live_;
}

void TextWriter::Body(const SignalEvent& signal, std::string* line) {
  // The kernel ends every thread of a dying group with a SIGKILL of its own, and what killed the
  // group is in the exit's line.
  if (signal.signo == SIGKILL) return;
  absl::StrAppend(line, "--- ", SignalName(signal.signo), " ", SignalInfoText(signal), " ---");
}

void TextWriter::Body(const LostEvent& lost, std::string* line) {
  absl::StrAppend(line, "+++ ", lost.count, lost.count == 1 ? " event" : " events",
                  " lost here +++");
}

void TextWriter::Body(const StopEvent& stop, std::string* line) {
  absl::StrAppend(line, "--- utrace: held ", PlaceText(stop.event, stop.nr, stop.abi), " ---");
}

void TextWriter::Body(const ResumeEvent&, std::string* line) {
  absl::StrAppend(line, "--- utrace: resumed ---");
}

void TextWriter::Body(const JobControlEvent& job, std::string* line) {
  if (job.signal == 0) {
    absl::StrAppend(line, "--- continued ---");
  } else {
    absl::StrAppend(line, "--- stopped by ", SignalName(job.signal), " ---");
  }
}

// The exit's line has said it; -j shows these too.
void TextWriter::Body(const DeathEvent&, std::string*) {}

void TextWriter::Body(const ReapEvent&, std::string* line) {
  if (options_.reapings) line->append("--- reaped ---");
}

}  // namespace utrace
