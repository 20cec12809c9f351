// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/commands/engine_new.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "include/uapi/utrace_bpf.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
// What these have is there in the text of files of the tree, as the build found it.
#include "engine_template_text.h"
#include "utrace_bpf_header_text.h"
#include "utrace_bpf_uapi_text.h"
#include "utrace_uapi_text.h"

namespace utrace {
namespace {

constexpr char kTemplateName[] = "template";

constexpr char kMakefile[] =
    "# SPDX-License-Identifier: GPL-2.0-only\n"
    "# Takes clang 14 or later, libbpf-dev, and bpftool for vmlinux.h.\n"
    "CLANG ?= clang\n"
    "BPFTOOL ?= bpftool\n"
    "\n"
    "template.bpf.o: template.bpf.c vmlinux.h\n"
    "\t$(CLANG) -g -O2 -mcpu=v3 --target=bpf -D__TARGET_ARCH_x86 -Wall -I. $(CFLAGS) -c $< -o $@\n"
    "\n"
    "vmlinux.h:\n"
    "\t$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $@\n";

std::string NameError(const std::string& name) {
  bool good = !name.empty() && name.size() < UTRACE_BPF_NAME_SIZE && absl::ascii_isalpha(name[0]);
  for (const char c : name) good &= absl::ascii_isalnum(c) || c == '_';
  if (good) return {};
  return absl::StrCat("'", name, "' is no name for an engine: it takes up to ",
                      UTRACE_BPF_NAME_SIZE - 1, " letters, digits and _, a letter first");
}

absl::Status Write(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream file(path);
  file << text;
  file.close();
  return file ? absl::OkStatus() : LastErrno(absl::StrCat("write ", path.string()));
}

absl::Status New(const std::string& name) {
  const std::filesystem::path folder = name;
  std::error_code error;
  if (!std::filesystem::create_directory(folder, error)) {
    return ErrnoStatus(error ? error.value() : EEXIST, absl::StrCat("make the folder ", name),
                       error ? error.message() : "it is there already");
  }
  const auto named = [&name](const char* text) {
    return absl::StrReplaceAll(text, {{kTemplateName, name}});
  };
  RETURN_IF_ERROR(Write(folder / (name + ".bpf.c"), named(kEngineTemplateText)));
  RETURN_IF_ERROR(Write(folder / "Makefile", named(kMakefile)));
  RETURN_IF_ERROR(Write(folder / "bpf/include/utrace.bpf.h", kUtraceBpfHeaderText));
  RETURN_IF_ERROR(Write(folder / "include/uapi/utrace_bpf.h", kUtraceBpfUapiText));
  RETURN_IF_ERROR(Write(folder / "include/uapi/utrace.h", kUtraceUapiText));
  std::printf(
      "%s/%s.bpf.c is the engine; next:\n"
      "  make -C %s\n"
      "  sudo utracectl engine verify %s/%s.bpf.o\n",
      name.c_str(), name.c_str(), name.c_str(), name.c_str(), name.c_str());
  return absl::OkStatus();
}

}  // namespace

Run DefineEngineNew(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("name", *name, "of the engine, and of its folder")
      ->required()
      ->check(NameError)
      ->type_name("NAME");
  return [name](const ProgramArgs&) {
    const absl::Status status = New(*name);
    if (status.ok()) return kExitOk;
    PrintError(status);
    return kExitFailure;
  };
}

}  // namespace utrace
