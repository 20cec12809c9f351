// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/utracectl_fixture.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "userspace/libutrace/bpf/privileges.h"

namespace utrace {
namespace {

std::string Program() {
  if (const char* named = getenv("UTRACECTL")) return named;
  return access(UTRACECTL_PATH, X_OK) == 0 ? UTRACECTL_PATH : "utracectl";
}

}  // namespace

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(absl::StripSuffix(text, "\n"), '\n');
}

void UtracectlTest::SetUp() {
  if (const absl::Status can = CheckCanObserve(); !can.ok()) GTEST_SKIP() << can;
  char name[] = "/tmp/utracectl_test.XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  dir_ = name;
}

void UtracectlTest::TearDown() {
  if (!dir_.empty()) std::filesystem::remove_all(dir_);
}

pid_t UtracectlTest::Start(std::vector<std::string> args, const std::function<void()>& prepare) {
  args.insert(args.begin(), Program());
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int out = open(File("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int err = open(File("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  // Whoever runs the tests may have left us more: the program's own files are to begin at 3.
  close_range(3, ~0u, 0);
  prepare();
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(99);
}

int UtracectlTest::WaitFor(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  out_ = ReadAll(File("out"));
  err_ = ReadAll(File("err"));
  return status;
}

int UtracectlTest::Run(std::vector<std::string> args, const std::function<void()>& prepare) {
  const int status = WaitFor(Start(std::move(args), prepare));
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool UtracectlTest::Appears(const std::string& file, const std::string& text) const {
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (absl::Now() < deadline) {
    if (absl::StrContains(ReadAll(File(file)), text)) return true;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return false;
}

}  // namespace utrace
