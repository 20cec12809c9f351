// SPDX-License-Identifier: Apache-2.0
// Measures the control plane from inside the guest; bench/run runs it and judges its figures.
#include <cstdio>
#include <string>

#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "bench/control/ticks.h"

namespace {

struct Measure {
  const char* name;
  absl::Status (*run)();
};

constexpr Measure kMeasures[] = {
    {"round-trip", utrace::bench::MeasureRoundTrip},
    {"bystander", utrace::bench::MeasureBystander},
    {"group", utrace::bench::MeasureGroup},
    {"footprint", utrace::bench::MeasureFootprint},
    {"first-attach", utrace::bench::MeasureFirstAttach},
    {"reported", utrace::bench::MeasureReported},
    {"step", utrace::bench::MeasureStep},
    {"engines", utrace::bench::MeasureEngines},
    {"bpf", utrace::bench::MeasureBpf},
};

int Run(const std::string& name) {
  for (const Measure& measure : kMeasures) {
    if (name != measure.name) continue;
    const absl::Status status = measure.run();
    if (status.ok()) return 0;
    std::fprintf(stderr, "bench_control: %s: %s\n", measure.name,
                 std::string(status.message()).c_str());
    return 1;
  }
  std::fprintf(stderr, "bench_control: no measure is called '%s'; there are:", name.c_str());
  for (const Measure& measure : kMeasures) std::fprintf(stderr, " %s", measure.name);
  std::fprintf(stderr, "\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return Run("");
  utrace::bench::Tell("ticks_per_instruction", utrace::bench::TicksPerInstruction());
  for (int i = 1; i < argc; ++i) {
    if (const int status = Run(argv[i]); status != 0) return status;
  }
  return 0;
}
