// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/session.h"
#include "userspace/utracectl/commands/commands.h"
#include "userspace/utracectl/output/control_json.h"
#include "userspace/utracectl/output/table.h"

namespace utrace {
namespace {

SystemStatus Ask(int* error) {
  SystemStatus status;
  status.version = UTRACE_VERSION;
  utsname names{};
  if (::uname(&names) == 0) {
    status.kernel = names.release;
    status.machine = names.machine;
  }
  absl::StatusOr<std::unique_ptr<Session>> session = Session::OpenToLook();
  absl::StatusOr<utrace_features> features =
      session.ok() ? (*session)->Features() : session.status();
  status.module_answers = features.ok();
  if (features.ok()) {
    status.features = *features;
    status.module_has_btf = ModuleHasBtf();
  } else {
    status.module_error = std::string(features.status().message());
    *error = ErrnoOf(features.status());
  }
  return status;
}

std::string ModuleText(const SystemStatus& status, int error) {
  if (status.module_answers) {
    return absl::StrCat(status.features.version, ", contract ", status.features.abi,
                        status.module_has_btf
                            ? ""
                            : "; built without type information (BTF): trace and record cannot "
                              "use it, see utracectl doctor");
  }
  if (error == ENOENT) {
    return absl::StrCat(
        "not loaded: stop, hold and resume need it, trace and record work without; load it: ",
        HowToLoadModule());
  }
  return absl::StrCat("of no use: ", status.module_error);
}

std::string Text(const SystemStatus& status, int error) {
  std::vector<std::vector<std::string>> rows{
      {"utracectl", absl::StrCat(status.version, ", contract ", UTRACE_ABI_VERSION)},
      {"kernel", absl::StrCat(status.kernel, " ", status.machine)},
      {"module", ModuleText(status, error)}};
  if (status.module_answers) {
    const utrace_features& features = status.features;
    rows.push_back({"engines", absl::StrCat(features.engines)});
    rows.push_back({"hooks", features.hooks == 0
                                 ? "none: no engine needs any"
                                 : absl::StrCat(features.hooks, ": ", features.hook_names)});
    rows.push_back({"events", absl::StrJoin(EventNames(features.events), " ")});
  }
  return FormatTable(rows);
}

}  // namespace

Run DefineStatus(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("-j,--json", *json, "one line of JSON (docs/json-control.md) in place of text");
  return [json](const ProgramArgs&) {
    int error = 0;
    const SystemStatus status = Ask(&error);
    const std::string text = *json ? StatusJson(status, MonotonicNow()) : Text(status, error);
    std::fputs(text.c_str(), stdout);
    // A machine without the module is as it may be; one whose module does not answer is not.
    return status.module_answers || error == ENOENT ? kExitOk : kExitFailure;
  };
}

}  // namespace utrace
