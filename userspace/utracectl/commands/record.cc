// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/record_file.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/target.h"

namespace utrace {
namespace {

struct RecordOptions {
  TargetOptions target;
  std::string output;
  bool fail_on_loss = false;
};

RecordingInfo Describe(const RecordOptions& options, const ProgramArgs& program, uint64_t threads) {
  RecordingInfo info = DescribeThisMachine();
  if (!program.empty()) info.fields.emplace_back("command", absl::StrJoin(program, " "));
  info.fields.emplace_back("pids", absl::StrJoin(options.target.pids, ","));
  info.fields.emplace_back("threads", absl::StrCat(threads));
  info.fields.emplace_back("follow", options.target.follow ? "1" : "0");
  info.fields.emplace_back("string_limit", absl::StrCat(options.target.string_limit));
  return info;
}

absl::Status Drain(Target& target, RecordWriter& writer) {
  Observer& observer = target.GetObserver();
  bool detached = false;
  while (!observer.AtEnd()) {
    if (Interrupted() && !detached) {
      observer.Detach();
      detached = true;
    }
    target.Reap();
    RETURN_IF_ERROR(
        observer.Read(kProgramLook, [&writer](Bytes frames) { return writer.Append(frames); }));
  }
  return absl::OkStatus();
}

int Record(const RecordOptions& options, const ProgramArgs& program) {
  int exit_status = kExitOk;
  std::optional<Target> target = Target::Prepare(options.target, program, &exit_status);
  if (!target.has_value()) return exit_status;
  absl::StatusOr<std::unique_ptr<RecordWriter>> writer =
      RecordWriter::Create(options.output, Describe(options, program, target->Threads()));
  if (!writer.ok()) {
    PrintError(writer.status());
    return target->OwnFailure();
  }
  CatchInterrupts();
  if (const std::optional<int> failed = target->Release()) return *failed;
  Observer& observer = target->GetObserver();
  absl::Status status = Drain(*target, **writer);
  observer.Detach();
  const absl::StatusOr<uint64_t> lost = observer.Dropped();
  if (status.ok()) status = lost.ok() ? (*writer)->Finish(*lost) : lost.status();
  if (!status.ok()) PrintError(status);
  PrintNote(
      absl::StrCat(TotalsText((*writer)->Records(), lost.value_or(0)), ", in ", options.output));
  return target->Finish(status, options.fail_on_loss && lost.value_or(0) > 0);
}

}  // namespace

Run DefineRecord(CLI::App& app) {
  auto options = std::make_shared<RecordOptions>();
  AddTargetOptions(app, &options->target);
  app.add_option("-o,--output", options->output, "the recording")->required()->type_name("FILE");
  app.add_flag("--fail-on-loss", options->fail_on_loss, "exit with 3 if any event was lost");
  return [options](const ProgramArgs& program) { return Record(*options, program); };
}

}  // namespace utrace
