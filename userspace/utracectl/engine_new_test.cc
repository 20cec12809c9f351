// SPDX-License-Identifier: Apache-2.0
// utracectl engine new: what it writes is an engine, compiled as its author would.
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "include/uapi/utrace.h"
#include "userspace/libutrace/bpf/engine_object.h"

namespace utrace {
namespace {

using testing::ElementsAre;

class EngineNew : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "/engine-new-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // In the folder; its exit status.
  int Shell(const std::string& command) const {
    const int status =
        std::system(absl::StrCat("cd ", folder_.string(), " && ", command, " >out 2>&1").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Said() const {
    std::ifstream out(folder_ / "out");
    return {std::istreambuf_iterator<char>(out), std::istreambuf_iterator<char>()};
  }
  int New(const std::string& name) const {
    return Shell(absl::StrCat(UTRACECTL_PATH, " engine new ", name));
  }

  std::filesystem::path folder_;
};

TEST_F(EngineNew, CompilesToAnEngineOfThatName) {
  ASSERT_EQ(New("watch_opens"), 0) << Said();
  std::filesystem::copy(std::filesystem::path(VMLINUX_DIR) / "vmlinux.h", folder_ / "watch_opens");
  ASSERT_EQ(Shell("make -C watch_opens CLANG=" CLANG " CFLAGS='" CLANG_FLAGS " -Werror'"), 0)
      << Said();
  const absl::StatusOr<std::unique_ptr<EngineObject>> engine =
      EngineObject::Open(folder_ / "watch_opens/watch_opens.bpf.o");
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->Name(), "watch_opens");
  EXPECT_THAT((*engine)->Options(), ElementsAre("call=-1", "error=0"));
  EXPECT_EQ((*engine)->Events(), UTRACE_EVENT(SYSCALL_ENTRY));
}

TEST_F(EngineNew, WhatIsThereStays) {
  ASSERT_EQ(New("mine"), 0) << Said();
  ASSERT_EQ(Shell("(echo mine >mine/mine.bpf.c)"), 0);
  EXPECT_EQ(New("mine"), 1);
  EXPECT_EQ(Said(), "utracectl: make the folder mine: it is there already\n");
  EXPECT_EQ(Shell("grep -x mine mine/mine.bpf.c"), 0);
}

TEST_F(EngineNew, NamesAreThoseOfC) {
  for (const char* name : {"2nd", "a-b", "''", "abcdefghijklmnop", "../up"}) {
    EXPECT_EQ(New(name), 2) << Said();
  }
  EXPECT_EQ(New("abcdefghijklmno"), 0) << Said();
}

}  // namespace
}  // namespace utrace
