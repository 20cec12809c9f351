// SPDX-License-Identifier: Apache-2.0
// The sample modules: engines of the kernel, on the in-kernel interface alone.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/module.h"

namespace utrace::test {
namespace {

// A module, loaded for the test.
class Sample : public testing::Test {
 protected:
  explicit Sample(const std::string& name) : name_("utrace_" + name) {}

  void SetUp() override { ASSERT_EQ(LoadModule(name_), 0); }
  void TearDown() override {
    EXPECT_EQ(Set("thread", 0), 0);
    EXPECT_TRUE(Eventually([&] { return UnloadModule(name_) == 0; }));
  }
  std::string Path(const std::string& parameter) const {
    return "/sys/module/" + name_ + "/parameters/" + parameter;
  }
  int Set(const std::string& parameter, long value) const {
    std::ofstream file(Path(parameter));
    errno = 0;
    file << value << std::flush;
    return file ? 0 : -errno;
  }
  std::string Get(const std::string& parameter) const {
    std::ifstream file(Path(parameter));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  const std::string name_;
};

class EventCount : public Sample {
 protected:
  EventCount() : Sample("event_count") {}

  long Count(utrace_event event) const {
    std::istringstream lines(Get("counts"));
    long number = 0;
    long count = 0;
    while (lines >> number >> count) {
      if (number == event) return count;
    }
    return -1;
  }
};

TEST_F(EventCount, SmokeCountsAndLetsAllHappen) {
  Tracee tracee({"actor"});
  const std::string call = "call " + std::to_string(SYS_getppid);
  ASSERT_EQ(Set("thread", tracee.pid()), 0);
  const std::string parent = std::to_string(getpid());
  EXPECT_EQ(tracee.Ask(call), parent);
  const long calls = Count(UTRACE_EVENT_BIT_SYSCALL_ENTRY);
  EXPECT_EQ(tracee.Ask(call), parent);
  // At least that call and the answer's write.
  EXPECT_GE(Count(UTRACE_EVENT_BIT_SYSCALL_ENTRY), calls + 2);
  EXPECT_EQ(Count(UTRACE_EVENT_BIT_CLONE), 0);
  EXPECT_NE(tracee.Ask("fork"), "-1");
  EXPECT_EQ(Count(UTRACE_EVENT_BIT_CLONE), 1);
  tracee.Tell("exit 5");
  EXPECT_EQ(tracee.Wait(), 5 << 8);
  EXPECT_EQ(Count(UTRACE_EVENT_BIT_EXIT), 1);
  EXPECT_EQ(Count(UTRACE_EVENT_BIT_DEATH), 1);
  EXPECT_EQ(Count(UTRACE_EVENT_BIT_REAP), 1);
}

TEST_F(EventCount, StaysWhileItHasAnEngine) {
  Tracee tracee({"actor"});
  ASSERT_EQ(Set("thread", tracee.pid()), 0);
  EXPECT_EQ(UnloadModule(name_), -EAGAIN);
  EXPECT_EQ(UnloadModule(), -EAGAIN) << "the core's";
  EXPECT_EQ(Set("thread", 0), 0);
  EXPECT_EQ(tracee.Ask("call " + std::to_string(SYS_getppid)), std::to_string(getpid()));
}

TEST_F(EventCount, WhomItCannotHave) {
  EXPECT_EQ(Set("thread", 2), -EPERM) << "a thread of the kernel";
  const pid_t child = fork();
  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Set("thread", child), -ESRCH);
}

// A dead thread's engine hears of its reaping and no more; the events can only be asked for before.
TEST_F(EventCount, AZombieHasNothingToTellAnyMore) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  ASSERT_TRUE(Eventually([&] { return StateOf(child) == 'Z'; }));
  EXPECT_EQ(Set("thread", child), -EALREADY);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
}

class CrashSuspend : public Sample {
 protected:
  CrashSuspend() : Sample("crash_suspend") {}

  bool Crashed(const std::string& line) const {
    return Eventually([&] { return Get("crashed") == line; });
  }
};

TEST_F(CrashSuspend, SmokeHoldsItWhereItCrashes) {
  KernelLog log;
  Tracee tracee({"handler"});
  ASSERT_EQ(Set("thread", tracee.pid()), 0);
  const std::string tid = std::to_string(tracee.pid());
  tracee.Tell("fault 0x1000");
  ASSERT_TRUE(Crashed(tid + " 11\n")) << Get("crashed");
  EXPECT_TRUE(Eventually([&] { return StateOf(tracee.pid()) == 't'; }));
  // Its memory is there still.
  std::ifstream maps("/proc/" + tid + "/maps");
  EXPECT_TRUE(std::string(std::istreambuf_iterator<char>(maps), {}).find("[stack]") !=
              std::string::npos);
  EXPECT_NE(log.Text().find("thread " + tid + " (handler) crashes by signal 11 at "),
            std::string::npos)
      << log.Text();
  EXPECT_EQ(Set("resume", tracee.pid()), 0);
  EXPECT_EQ(tracee.Wait() & 0x7f, SIGSEGV);
  EXPECT_EQ(Set("resume", tracee.pid()), -ESRCH);
  EXPECT_EQ(Get("crashed"), "");
}

TEST_F(CrashSuspend, AndWhatItMakes) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  Fork parent([&] {
    char byte = 0;
    if (read(pipe_fds[0], &byte, 1) != 1) return 1;
    const pid_t child = fork();
    if (child == 0) abort();
    int status = 0;
    waitpid(child, &status, 0);
    return WTERMSIG(status);
  });
  ASSERT_EQ(Set("thread", parent.pid()), 0);
  ASSERT_EQ(write(pipe_fds[1], "", 1), 1);
  ASSERT_TRUE(Eventually([&] { return !Get("crashed").empty(); }));
  pid_t tid = 0;
  int signo = 0;
  std::istringstream(Get("crashed")) >> tid >> signo;
  EXPECT_NE(tid, parent.pid());
  EXPECT_EQ(signo, SIGABRT);
  EXPECT_EQ(Set("resume", tid), 0);
  EXPECT_EQ(parent.Wait(), SIGABRT << 8);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

// Whoever loaded it changes his mind: what it holds goes on.
TEST_F(CrashSuspend, LetsGoOfWhatItHolds) {
  Tracee tracee({"handler"});
  ASSERT_EQ(Set("thread", tracee.pid()), 0);
  tracee.Tell("fault 0x1000");
  ASSERT_TRUE(Crashed(std::to_string(tracee.pid()) + " 11\n")) << Get("crashed");
  EXPECT_EQ(Set("thread", 0), 0);
  EXPECT_EQ(tracee.Wait() & 0x7f, SIGSEGV);
}

// A user's engine on the same thread, and each holds it for itself.
TEST_F(CrashSuspend, BesideAUsersEngine) {
  Tracee tracee({"handler"});
  Device device = Device::Open();
  ASSERT_GT(device.Attach(tracee.pid(), UTRACE_EVENT(SIGNAL_CORE)), 0);
  ASSERT_EQ(Set("thread", tracee.pid()), 0);
  tracee.Tell("fault 0x1000");
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
  ASSERT_TRUE(Crashed(std::to_string(tracee.pid()) + " 11\n")) << Get("crashed");
  EXPECT_EQ(Set("resume", tracee.pid()), 0);
  EXPECT_EQ(tracee.Wait(300), -1) << "the other holds it";
  EXPECT_EQ(device.Resume(notice), 0);
  EXPECT_EQ(tracee.Wait() & 0x7f, SIGSEGV);
}

}  // namespace
}  // namespace utrace::test
