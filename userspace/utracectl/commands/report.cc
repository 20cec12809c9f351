// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/event_stream.h"
#include "userspace/libutrace/record_file.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/output/json.h"
#include "userspace/utracectl/output/output.h"
#include "userspace/utracectl/output/text.h"
#include "userspace/utracectl/target.h"

namespace utrace {
namespace {

struct ReportOptions {
  std::string file;
  bool json = false;
};

uint64_t NumberOr(const std::string& text, uint64_t otherwise) {
  uint64_t value = 0;
  return absl::SimpleAtoi(text, &value) ? value : otherwise;
}

absl::Status Print(RecordReader& reader, EventStream& stream, bool json, Output& output) {
  const RecordingInfo& info = reader.Info();
  TextOptions text;
  text.decode.string_limit = NumberOr(info.Get("string_limit"), text.decode.string_limit);
  text.threads = NumberOr(info.Get("threads"), text.threads);
  std::unique_ptr<EventWriter> writer;
  if (json) {
    writer = std::make_unique<JsonWriter>(text.decode);
  } else {
    writer = std::make_unique<TextWriter>(text);
  }
  std::string lines;
  absl::Status status;
  while (!stream.AtEnd()) {
    absl::StatusOr<std::optional<Event>> event = stream.Next(absl::ZeroDuration());
    if (!event.ok()) {
      status = event.status();  // what came before is good, and shown
      break;
    }
    if (!event->has_value()) continue;
    lines.clear();
    writer->Write(**event, &lines);
    output.Append(lines);
  }
  lines.clear();
  // Of a recording without an end the losses are not known: no last line may say them.
  if (status.ok() && reader.Complete()) writer->Finish(stream.GetTotals(), &lines);
  output.Append(lines);
  RETURN_IF_ERROR(output.Flush());
  return status;
}

int Report(const ReportOptions& options) {
  absl::StatusOr<std::unique_ptr<RecordReader>> reader = RecordReader::Open(options.file);
  if (!reader.ok()) {
    PrintError(reader.status());
    return kExitFailure;
  }
  std::unique_ptr<Output> output = Output::Standard(STDOUT_FILENO);
  EventStream stream(**reader);
  const absl::Status status = Print(**reader, stream, options.json, *output);
  const EventStream::Totals& totals = stream.GetTotals();
  if (status.ok() && (*reader)->Complete()) {
    if (!options.json) PrintNote(TotalsText(totals.events, totals.lost));
    return kExitOk;
  }
  if (!options.json) {
    PrintNote(
        absl::StrCat(totals.events, " events up to there, ", totals.lost, " lost among them"));
  }
  if (status.ok()) {
    PrintNote(absl::StrCat("note: ", options.file,
                           " was not finished by its recorder (killed, or the disk was full): what "
                           "came after is not in it, and how much was lost is not known"));
  } else {
    PrintError(status);
  }
  return kExitFailure;
}

}  // namespace

Run DefineReport(CLI::App& app) {
  auto options = std::make_shared<ReportOptions>();
  app.add_option("file", options->file, "the recording")->required()->type_name("FILE");
  app.add_flag("-j,--json", options->json, "JSON Lines (docs/json.md) in place of text");
  return [options](const ProgramArgs&) { return Report(*options); };
}

}  // namespace utrace
