// SPDX-License-Identifier: Apache-2.0
// The program itself, run on real processes. Needs the rights to load BPF; tests are skipped
// without.
#ifndef UTRACE_UTRACECTL_UTRACECTL_FIXTURE_H_
#define UTRACE_UTRACECTL_UTRACECTL_FIXTURE_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace utrace {

std::string ReadAll(const std::string& path);
std::vector<std::string> Lines(const std::string& text);

class UtracectlTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // In a folder of this test's own.
  std::string File(const std::string& name) const { return dir_ + "/" + name; }

  // utracectl ARGS, its output going to the files "out" and "err". `prepare` runs in it before it
  // becomes utracectl.
  pid_t Start(
      std::vector<std::string> args, const std::function<void()>& prepare = [] {});

  // Its wait status. What it said is in out_ and err_.
  int WaitFor(pid_t pid);

  // Exit status as a shell has it.
  int Run(
      std::vector<std::string> args, const std::function<void()>& prepare = [] {});

  // Whether `text` comes to stand in the file within some seconds.
  bool Appears(const std::string& file, const std::string& text) const;

  std::string out_, err_;

 private:
  std::string dir_;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_UTRACECTL_FIXTURE_H_
