// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/held_command.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

std::string CommandLineOf(pid_t pid) {
  std::stringstream text;
  text << std::ifstream("/proc/" + std::to_string(pid) + "/comm").rdbuf();
  return text.str();
}

TEST(HeldCommand, RunsOnlyWhenReleased) {
  absl::StatusOr<HeldCommand> command = HeldCommand::Spawn({"sleep", "0.2"}, std::nullopt);
  ASSERT_TRUE(command.ok()) << command.status();
  ::usleep(50000);
  EXPECT_NE(CommandLineOf(command->Pid()), "sleep\n");
  ASSERT_TRUE(command->Release().ok());
  EXPECT_EQ(CommandLineOf(command->Pid()), "sleep\n");
  EXPECT_EQ(*command->Wait(), 0);
}

TEST(HeldCommand, DroppedItNeverRuns) {
  const std::string mark = ::testing::TempDir() + "/utrace-held-" + std::to_string(::getpid());
  pid_t pid = 0;
  {
    absl::StatusOr<HeldCommand> command = HeldCommand::Spawn({"touch", mark}, std::nullopt);
    ASSERT_TRUE(command.ok());
    pid = command->Pid();
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST(HeldCommand, SaysWhyItCannotRun) {
  EXPECT_EQ(ErrnoOf(HeldCommand::Spawn({"no-such-command"}, std::nullopt).status()), ENOENT);
  EXPECT_EQ(ErrnoOf(HeldCommand::Spawn({"/etc/passwd"}, std::nullopt).status()), EACCES);
  EXPECT_EQ(ErrnoOf(HeldCommand::Spawn({"/etc"}, std::nullopt).status()), EACCES);
  EXPECT_FALSE(HeldCommand::Spawn({}, std::nullopt).ok());

  // Only exec itself can tell of this one.
  std::string path = ::testing::TempDir() + "/utrace-not-a-program-XXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_EQ(::write(fd, "\1\2\3\4", 4), 4);
  ::fchmod(fd, 0755);
  ::close(fd);
  absl::StatusOr<HeldCommand> command = HeldCommand::Spawn({path}, std::nullopt);
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(ErrnoOf(command->Release()), ENOEXEC);
  std::filesystem::remove(path);
}

TEST(HeldCommand, AChildThatWasKilledMeanwhileIsAnError) {
  absl::StatusOr<HeldCommand> command = HeldCommand::Spawn({"true"}, std::nullopt);
  ASSERT_TRUE(command.ok());
  ::kill(command->Pid(), SIGKILL);
  ::siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(command->Pid()), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(ErrnoOf(command->Release()), EPIPE);
  EXPECT_EQ(WTERMSIG(*command->Wait()), SIGKILL);
}

}  // namespace
}  // namespace utrace
