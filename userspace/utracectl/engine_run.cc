// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/engine_run.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_map.h"
#include "userspace/libutrace/bpf/engine_records.h"
#include "userspace/libutrace/bpf/engine_table.h"
#include "userspace/libutrace/bpf/loaded_engine.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/process_info.h"
#include "userspace/utracectl/output/output.h"
#include "userspace/utracectl/output/stack_text.h"
#include "userspace/utracectl/output/table.h"
#include "userspace/utracectl/program.h"
#include "userspace/utracectl/stacks.h"
#include "userspace/utracectl/target.h"

namespace utrace {
namespace {

// Milliseconds after which it is looked whether an engine of others' is still there.
constexpr int kLook = 500;

// It stays where it is while this looks, unless somebody lets it go.
std::string StackOfHeld(pid_t tid) {
  // Its number is the kernel's own.
  if (!InInitialPidNamespace()) return "    no stack: utracectl is in a pid namespace of its own\n";
  const absl::StatusOr<ThreadInfo> info = ReadThread(tid);
  if (!info.ok()) return {};
  const absl::StatusOr<std::vector<StackView>> stacks =
      StacksOf(info->tgid, {tid}, std::nullopt, StackOptions());
  if (!stacks.ok()) return absl::StrCat("    no stack: ", stacks.status().message(), "\n");
  return stacks->empty() ? std::string() : StackText(stacks->front(), false);
}

// What one engine tells.
class Teller {
 public:
  static absl::StatusOr<Teller> Open(std::string label, bool tells, const EngineMap& records,
                                     const EngineMap& table) {
    Teller teller(std::move(label), tells, table);
    ASSIGN_OR_RETURN(teller.records_, EngineRecords::Open(records));
    return teller;
  }

  int PollFd() const { return records_ ? records_->PollFd() : -1; }

  absl::Status Take(Output* output) {
    if (!records_) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::vector<EngineRecord> taken, records_->Take());
    for (const EngineRecord& record : taken) {
      output->Append(absl::StrCat(label_, ": ", record.text, "\n"));
      if (record.held != 0) output->Append(StackOfHeld(record.held));
    }
    any_ = any_ || !taken.empty();
    return absl::OkStatus();
  }

  absl::Status End(Output* output) const {
    ASSIGN_OR_RETURN(const std::vector<std::vector<std::string>> rows, ReadEngineTable(table_));
    if (!rows.empty()) output->Append(FormatTable(rows));
    if (tells_ && !any_) output->Append(absl::StrCat(label_, ": never\n"));
    return absl::OkStatus();
  }

 private:
  Teller(std::string label, bool tells, const EngineMap& table)
      : label_(std::move(label)), tells_(tells), table_(table) {}

  std::string label_;
  bool tells_;
  EngineMap table_;
  std::unique_ptr<EngineRecords> records_;
  bool any_ = false;
};

// Until the process, if it is one, ends, or we are interrupted.
absl::Status ShowUntilEnd(const UniqueFd& pidfd, const RunningEngines& engines, Output* output) {
  std::vector<Teller> tellers;
  std::vector<pollfd> wait = {{pidfd.Get(), POLLIN, 0}};
  for (const RunningEngine& running : engines) {
    const bpf_object* object = running.engine->Object();
    ASSIGN_OR_RETURN(Teller teller,
                     Teller::Open(running.label, running.tells, MapOf(object, kRecordsMap),
                                  MapOf(object, kTableMap)));
    wait.push_back({teller.PollFd(), POLLIN, 0});
    tellers.push_back(std::move(teller));
  }
  bool ended = false;
  while (!ended && !Interrupted()) {
    const int ready = ::poll(wait.data(), wait.size(), -1);
    if (ready < 0 && errno != EINTR) return LastErrno("wait for the process");
    ended = ready > 0 && wait[0].revents != 0;
    for (Teller& teller : tellers) RETURN_IF_ERROR(teller.Take(output));
    RETURN_IF_ERROR(output->Flush());
  }
  for (const Teller& teller : tellers) RETURN_IF_ERROR(teller.End(output));
  return output->Flush();
}

absl::StatusOr<std::unique_ptr<Output>> OpenOutput(const EngineTarget& target, int standard) {
  if (target.output.empty()) return Output::Standard(standard);
  return Output::Create(target.output);
}

// The program's wait status.
absl::StatusOr<int> ShowUntilEnd(Program* program, const RunningEngines& engines, Output* output) {
  ASSIGN_OR_RETURN(const UniqueFd pidfd, OpenPidfd(program->Pid()));
  RETURN_IF_ERROR(ShowUntilEnd(pidfd, engines, output));
  return program->Wait();
}

}  // namespace

absl::Status RunEngines(const EngineTarget& target, const StartEngines& start,
                        const std::function<std::string(const RunningEngines&)>& on) {
  UniqueFd pidfd;
  if (!target.every_exec) {
    ASSIGN_OR_RETURN(pidfd, OpenPidfd(target.pid));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Output> output, OpenOutput(target, STDOUT_FILENO));
  ASSIGN_OR_RETURN(const RunningEngines engines, start(target.pid));
  CatchInterrupts();
  PrintNote(absl::StrCat(on(engines),
                         target.every_exec ? ", until Ctrl-C" : ", until that ends or Ctrl-C"));
  return ShowUntilEnd(pidfd, engines, output.get());
}

absl::Status ReadLoadedEngine(const std::string& name, const std::string& file, bool follow) {
  EngineTarget target;
  target.output = file;
  ASSIGN_OR_RETURN(const std::unique_ptr<Output> output, OpenOutput(target, STDOUT_FILENO));
  ASSIGN_OR_RETURN(const OpenedEngine engine, OpenedEngine::Open(name));
  ASSIGN_OR_RETURN(Teller teller, Teller::Open(name, false, engine.Records(), engine.Table()));
  if (follow) CatchInterrupts();
  RETURN_IF_ERROR(teller.Take(output.get()));
  while (follow && !Interrupted() && engine.Lives()) {
    RETURN_IF_ERROR(output->Flush());
    pollfd wait{teller.PollFd(), POLLIN, 0};
    if (::poll(&wait, 1, kLook) < 0 && errno != EINTR) return LastErrno("wait for the engine");
    RETURN_IF_ERROR(teller.Take(output.get()));
  }
  RETURN_IF_ERROR(teller.End(output.get()));
  return output->Flush();
}

int RunEnginesOnProgram(const EngineTarget& target, const ProgramArgs& args,
                        const StartEngines& start) {
  int exit_status = kExitOk;
  std::optional<Program> program = Program::Spawn(args, target.user, &exit_status);
  if (!program.has_value()) return exit_status;
  const absl::StatusOr<std::unique_ptr<Output>> output = OpenOutput(target, STDERR_FILENO);
  const absl::StatusOr<RunningEngines> engines =
      output.ok() ? start(program->Pid()) : output.status();
  if (!engines.ok()) {
    PrintError(engines.status());
    return kExitOwnFailure;
  }
  if (const std::optional<int> failed = program->Start()) return *failed;
  if (const std::optional<int> failed = program->Confirm()) return *failed;
  const absl::StatusOr<int> status = ShowUntilEnd(&*program, *engines, output->get());
  if (!status.ok()) {
    PrintError(status.status());
    return kExitFailure;
  }
  return EndLike(*status);
}

}  // namespace utrace
