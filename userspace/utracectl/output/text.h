// SPDX-License-Identifier: Apache-2.0
#ifndef UTRACE_UTRACECTL_OUTPUT_TEXT_H_
#define UTRACE_UTRACECTL_OUTPUT_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "userspace/libutrace/decode/call_text.h"
#include "userspace/utracectl/output/event_writer.h"

namespace utrace {

struct TextOptions {
  DecodeOptions decode;
  // Threads traced from the start: with more than one, lines say whose they are.
  uint64_t threads = 1;
  // Put the thread's number before every line, as a file of several processes needs it.
  bool always_number = false;
  // Say of processes when they were reaped, too.
  bool reapings = false;
};

// Lines in the form of strace -f, so that eyes and parsers trained on it work.
class TextWriter : public EventWriter {
 public:
  explicit TextWriter(const TextOptions& options)
      : options_(options), live_(options.threads ? options.threads : 1) {}

  void Write(const Event& event, std::string* out) override;
  void Finish(const EventStream::Totals& totals, std::string* out) override;

 private:
  void Body(const SyscallEvent& call, std::string* line);
  void Body(const PendingEvent& call, std::string* line);
  void Body(const ForkEvent& fork, std::string* line);
  void Body(const ExecEvent& exec, std::string* line);
  void Body(const ExitEvent& exit, std::string* line);
  void Body(const SignalEvent& signal, std::string* line);
  void Body(const LostEvent& lost, std::string* line);
  void Body(const StopEvent& stop, std::string* line);
  void Body(const ResumeEvent& resume, std::string* line);
  void Body(const DeathEvent& death, std::string* line);
  void Body(const ReapEvent& reap, std::string* line);
  void Body(const JobControlEvent& job, std::string* line);

  TextOptions options_;
  uint64_t live_;  // threads alive at this place of the stream
};

// "{si_signo=SIGCHLD, si_code=CLD_EXITED, ...}"
std::string SignalInfoText(const SignalEvent& signal);

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_OUTPUT_TEXT_H_
