// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/output/json.h"
#include "userspace/utracectl/output/output.h"
#include "userspace/utracectl/output/text.h"
#include "userspace/utracectl/target.h"

namespace utrace {
namespace {

struct TraceOptions {
  TargetOptions target;
  std::string output;
  bool json = false;
  bool fail_on_loss = false;
};

std::unique_ptr<EventWriter> MakeWriter(const TraceOptions& options, uint64_t threads) {
  const DecodeOptions decode{options.target.string_limit};
  if (options.json) return std::make_unique<JsonWriter>(decode);
  TextOptions text;
  text.decode = decode;
  text.threads = threads;
  text.reapings = options.target.verbose;
  text.always_number = options.target.follow && !options.output.empty();
  return std::make_unique<TextWriter>(text);
}

absl::Status Drain(Target& target, EventStream& stream, EventWriter& writer, Output& output) {
  std::string lines;
  bool detached = false;
  while (!stream.AtEnd()) {
    if (Interrupted() && !detached) {
      target.GetObserver().Detach();
      detached = true;
    }
    absl::StatusOr<std::optional<Event>> event = stream.Next(absl::ZeroDuration());
    if (event.ok() && !event->has_value()) {
      // Nothing there: show what we have before we wait.
      if (absl::Status status = output.Flush(); !status.ok()) return status;
      target.Reap();
      event = stream.Next(kProgramLook);
    }
    if (!event.ok()) return event.status();
    if (!event->has_value()) continue;
    lines.clear();
    writer.Write(**event, &lines);
    output.Append(lines);
  }
  lines.clear();
  writer.Finish(stream.GetTotals(), &lines);
  output.Append(lines);
  return output.Flush();
}

int Trace(const TraceOptions& options, const ProgramArgs& program) {
  int exit_status = kExitOk;
  std::optional<Target> target = Target::Prepare(options.target, program, &exit_status);
  if (!target.has_value()) return exit_status;
  std::unique_ptr<Output> output =
      Output::Standard(target->HasProgram() ? STDERR_FILENO : STDOUT_FILENO);
  if (!options.output.empty()) {
    absl::StatusOr<std::unique_ptr<Output>> file = Output::Create(options.output);
    if (!file.ok()) {
      PrintError(file.status());
      return target->OwnFailure();
    }
    output = *std::move(file);
  }
  const std::unique_ptr<EventWriter> writer = MakeWriter(options, target->Threads());
  EventStream stream(target->GetObserver());
  CatchInterrupts();
  if (const std::optional<int> failed = target->Release()) return *failed;
  const absl::Status status = Drain(*target, stream, *writer, *output);
  target->GetObserver().Detach();
  const EventStream::Totals& totals = stream.GetTotals();
  if (!status.ok()) PrintError(status);
  if (!options.json) PrintNote(TotalsText(totals.events, totals.lost));
  return target->Finish(status, options.fail_on_loss && totals.lost > 0);
}

}  // namespace

Run DefineTrace(CLI::App& app) {
  auto options = std::make_shared<TraceOptions>();
  AddTargetOptions(app, &options->target);
  app.add_option("-o,--output", options->output, "write the lines to this file")->type_name("FILE");
  app.add_flag("-j,--json", options->json, "JSON Lines (docs/json.md) in place of text");
  app.add_flag("--fail-on-loss", options->fail_on_loss, "exit with 3 if any event was lost");
  return [options](const ProgramArgs& program) { return Trace(*options, program); };
}

}  // namespace utrace
