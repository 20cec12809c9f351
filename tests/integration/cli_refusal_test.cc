// SPDX-License-Identifier: Apache-2.0
// What utracectl refuses: one clear line each, and nothing is left attached or hooked.
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"
#include "tests/integration/device.h"
#include "tests/integration/module.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr uid_t kUser = 1000;

// One line, with the attempt and the reason.
void ExpectRefusal(const CliResult& result, const std::string& attempt, const std::string& reason,
                   int status = 1) {
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_THAT(result.err, StartsWith("utracectl: " + attempt + ": "));
  EXPECT_THAT(result.err, HasSubstr(reason));
  EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
  EXPECT_EQ(result.out, "");
}

int Idle() {
  for (;;) pause();
}

// A child of ours of this number, which has to be free.
std::unique_ptr<Fork> ForkNumbered(pid_t number) {
  for (int i = 0; i < 1000; ++i) {
    std::ofstream("/proc/sys/kernel/ns_last_pid") << number - 1 << std::endl;
    auto fork = std::make_unique<Fork>(Idle);
    if (fork->pid() == number) return fork;
  }
  return nullptr;
}

class CliRefusalTest : public testing::Test {
 protected:
  void TearDown() override {
    if (!ModuleIsLoaded()) {
      ASSERT_EQ(LoadModule(), 0);
    }
    EXPECT_TRUE(ListedEngines().empty());
  }

  Fork target_{Idle};
  std::string pid_ = std::to_string(target_.pid());
};

TEST_F(CliRefusalTest, WhatIsNoTarget) {
  Fork dead([] { return 0; });
  ASSERT_TRUE(Eventually([&] { return StateOf(dead.pid()) == 'Z'; }));
  Tracee threads({"actor"});
  ASSERT_EQ(threads.Ask("threads 1"), "1");
  const std::string process = std::to_string(threads.pid());
  const std::string second = std::to_string(ThreadsOf(threads.pid()).back());
  const std::string zombie = std::to_string(dead.pid());
  const struct {
    std::string target;
    std::string called;
    std::string reason;
  } cases[] = {
      {"4194304", "process 4194304", "there is no such process (it ended, or never was)"},
      {"2", "kthreadd (2)", "it is a kernel thread, which never runs user code to be held in"},
      {second, "process " + second, "name it " + process + "/" + second},
      {zombie, " (" + zombie + ")", "it has ended and waits for its parent ("},
  };
  for (const auto& each : cases) {
    const std::pair<std::string, Cli::Args> attempts[] = {
        {"stop ", {"stop", "-p", each.target}},
        {"stop ", {"stop", "-p", each.target, "--at", "syscall:openat", "--background"}},
        {"hold the tree of ", {"hold", "--tree", each.target}},
        {"resume ", {"resume", each.target}},
    };
    for (const auto& [attempt, args] : attempts) {
      const CliResult result = RunCli(args);
      EXPECT_EQ(result.status, 1);
      EXPECT_THAT(result.err, StartsWith("utracectl: " + attempt));
      EXPECT_THAT(result.err, HasSubstr(each.called + ": "));
      EXPECT_THAT(result.err, HasSubstr(each.reason));
      EXPECT_EQ(LinesOf(result.err).size(), 1u) << result.err;
    }
  }
  ExpectRefusal(RunCli({"stop", "-p", pid_ + "/1"}), "stop thread " + pid_ + "/1",
                "has no such thread; see utracectl ps -p " + pid_);
  ExpectRefusal(RunCli({"ps", "-p", "4194304"}), "find process 4194304", "No such process");
  Cli itself = Cli::Of({"sh", "-c", "exec utracectl stop -p $$"});
  EXPECT_EQ(itself.Wait(), 1);
  EXPECT_THAT(itself.Err(), HasSubstr("it is this utracectl itself"));
}

TEST_F(CliRefusalTest, ARefusalLeavesNothingHooked) {
  ExpectRefusal(RunCliAs(kUser, {"stop", "-p", pid_}), "stop process " + pid_, "belongs to root");
  EXPECT_TRUE(Eventually(
      [] { return HookedFunctions().find("wake_up_new_task") == std::string::npos; }, 15'000));
}

TEST_F(CliRefusalTest, EnginesThatAreNot) {
  for (const char* verb : {"show", "detach"}) {
    ExpectRefusal(RunCli({"engine", verb, "123456"}), "find engine 123456",
                  "there is no such engine (any more); see utracectl engine list");
  }
  ExpectRefusal(RunCli({"engine", "detach", "bpf:77"}), "detach bpf:77",
                "it only observes, and ends with its owner: kill -INT 77");
  const CliResult resume = RunCli({"resume", pid_});
  EXPECT_EQ(resume.status, 1);
  EXPECT_THAT(resume.err, HasSubstr(": no engine holds it\n"));
  EXPECT_THAT(RunCli({"resume", pid_, "--engine", "9"}).err,
              HasSubstr(": engine 9 does not hold it\n"));
  kill(target_.pid(), SIGSTOP);
  ASSERT_TRUE(Eventually([&] { return StateOf(target_.pid()) == 'T'; }));
  EXPECT_THAT(RunCli({"resume", pid_}).err,
              HasSubstr("it is stopped by job control: kill -CONT lets it go"));
}

// Between the look at a target and the attach it ends, and its number is another's.
class CliReusedNumberTest : public CliRefusalTest {
 protected:
  // `number` is of a thread of `victim`; gives how the stop of `target` ended.
  CliResult StopMeanwhileReused(const std::string& target, Tracee* victim, pid_t number) {
    Cli stop = Cli::Of({"sh", "-c", "kill -STOP $$; exec utracectl stop -p " + target});
    EXPECT_TRUE(Eventually([&] { return StateOf(stop.pid()) == 'T'; }));
    Device device = Device::Open();
    const int64_t engine =
        device.AttachForCalls(stop.pid(), UTRACE_EVENT(SYSCALL_ENTRY), {SYS_ioctl});
    EXPECT_GT(engine, 0);
    stop.Kill(SIGCONT);
    utrace_notice notice = device.Next();
    while (notice.type == UTRACE_NOTICE_HELD && notice.args[1] != UTRACE_IOC_ATTACH) {
      device.Resume(notice);
      notice = device.Next();
    }
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    victim->Kill(SIGKILL);
    EXPECT_EQ(victim->Wait(), SIGKILL);
    const std::unique_ptr<Fork> other = ForkNumbered(number);
    EXPECT_NE(other, nullptr);
    EXPECT_EQ(device.Control(engine, 0, UTRACE_DETACH), 0);
    const int status = stop.Wait();
    EXPECT_TRUE(Device::Open(O_RDONLY).List().empty());
    // It may still be on its way there from its fork; held it would not get there.
    EXPECT_TRUE(Eventually([&] { return StateOf(number) == 'S'; }));
    return {status, stop.Out(), stop.Err()};
  }
};

TEST_F(CliReusedNumberTest, IsNotTakenForTheProcess) {
  Tracee victim({"actor"});
  const pid_t number = victim.pid();
  const CliResult result = StopMeanwhileReused(std::to_string(number), &victim, number);
  ExpectRefusal(result, "stop process " + std::to_string(number), "ended just now");
}

TEST_F(CliReusedNumberTest, IsNotTakenForTheThread) {
  Tracee victim({"actor"});
  ASSERT_EQ(victim.Ask("threads 1"), "1");
  const pid_t number = ThreadsOf(victim.pid()).back();
  const std::string target = std::to_string(victim.pid()) + "/" + std::to_string(number);
  const CliResult result = StopMeanwhileReused(target, &victim, number);
  ExpectRefusal(result, "stop thread " + target, "its number is another thread's now");
}

TEST_F(CliRefusalTest, WithoutTheModule) {
  ASSERT_TRUE(Eventually([] { return UnloadModule() == 0; }));
  const Cli::Args cases[] = {
      {"stop", "-p", pid_},      {"stop", "-p", pid_, "--background"},
      {"hold", "--tree", pid_},  {"resume", pid_},
      {"engine", "detach", "7"},
  };
  for (const Cli::Args& args : cases) {
    const CliResult result = RunCli(args);
    ExpectRefusal(result, "open /dev/utrace", "the utrace module is not loaded");
    EXPECT_THAT(result.err, HasSubstr("load it: sudo insmod utrace.ko, built for kernel "));
  }
  for (const Cli::Args& args :
       {Cli::Args{"hold", "--", "echo", "ran"}, {"hold", "--background", "--", "echo", "ran"}}) {
    ExpectRefusal(RunCli(args), "open /dev/utrace", "the utrace module is not loaded", 125);
  }
  ExpectRefusal(RunCli({"engine", "detach", "--all"}),
                "detach every engine by /sys/class/misc/utrace/detach_all",
                "the utrace module is not loaded, so there is none");
  // What does not need it does what it can.
  const std::pair<Cli::Args, std::string> others[] = {
      {{"status"}, "not loaded: stop, hold and resume need it"},
      {{"status", "-j"}, "\"module\":null,\"module_error\":\"open /dev/utrace: "},
      {{"doctor"}, "mend it: sudo insmod utrace.ko"},
      {{"ps", "-p", pid_}, "blocked in pause"},
      {{"engine", "list"}, "OWNER"},
  };
  for (const auto& [args, words] : others) {
    const CliResult result = RunCli(args);
    EXPECT_EQ(result.status, 0);
    EXPECT_THAT(result.out, HasSubstr(words));
  }
  EXPECT_EQ(RunCli({"trace", "--", "true"}).status, 0);
}

TEST_F(CliRefusalTest, AModuleWithoutItsTypes) {
  // As objcopy --remove-section .BTF would leave it: no section is called so any more.
  std::string module = ReadWhole(ModulePath("utrace"));
  const std::string name("\0.BTF\0", 6);
  const size_t at = module.find(name);
  ASSERT_NE(at, std::string::npos);
  module.replace(at, name.size(), std::string("\0.XTF\0", 6));
  const std::string path = "/tmp/without-btf.ko";
  std::ofstream(path, std::ios::binary) << module << std::flush;
  ASSERT_TRUE(Eventually([] { return UnloadModule() == 0; }));
  KernelLog log;
  ASSERT_EQ(LoadModuleFile(path), 0);
  unlink(path.c_str());
  EXPECT_THAT(log.Text(), HasSubstr("built without its own type information (BTF)"));

  const CliResult trace = RunCli({"trace", "--", "true"});
  EXPECT_EQ(trace.status, 0);
  EXPECT_THAT(trace.err, HasSubstr("since: read the utrace module's type information"));
  EXPECT_THAT(trace.err, HasSubstr("+++ exited with 0 +++\n"));
  const CliResult doctor = RunCli({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out,
              HasSubstr("MISSING  the utrace module was built without type information (BTF)"));
  EXPECT_THAT(doctor.out, HasSubstr("mend it: sudo apt install pahole"));
  EXPECT_THAT(RunCli({"status"}).out, HasSubstr("built without type information (BTF)"));
  EXPECT_THAT(RunCli({"status", "-j"}).out, HasSubstr("\"btf\":false"));
  // To hold takes none.
  EXPECT_EQ(RunCli({"stop", "-p", pid_, "--background"}).status, 0);
  EXPECT_EQ(RunCli({"resume", pid_}).status, 0);
  EXPECT_EQ(RunCli({"engine", "detach", "--all"}).status, 0);
  EXPECT_TRUE(Eventually([] { return UnloadModule() == 0; }));
}

TEST_F(CliRefusalTest, ADeviceThatKeepsUsersOut) {
  ASSERT_EQ(chmod(UTRACE_DEVICE, 0600), 0);
  ExpectRefusal(RunCliAs(kUser, {"hold", "--", "true"}), "open /dev/utrace",
                "use sudo, or let all users in: sudo chmod 0666 /dev/utrace", 125);
  const CliResult status = RunCliAs(kUser, {"status"});
  EXPECT_EQ(status.status, 1);
  EXPECT_THAT(status.out, HasSubstr("of no use: open /dev/utrace: its mode keeps this user out"));
  EXPECT_THAT(RunCliAs(kUser, {"doctor"}).out, HasSubstr("MISSING  open /dev/utrace: its mode"));
  ASSERT_EQ(chmod(UTRACE_DEVICE, 0666), 0);
  EXPECT_EQ(RunCliAs(kUser, {"status"}).status, 0);
}

TEST_F(CliRefusalTest, MoreEnginesThanOneUserMayHave) {
  const char* const limit = "/sys/module/utrace/parameters/max_attachments";
  const std::string before = ReadWhole(limit);
  std::ofstream(limit) << 0 << std::endl;
  const CliResult stop = RunCli({"stop", "-p", pid_});
  const CliResult hold = RunCli({"hold", "--", "echo", "ran"});
  std::ofstream(limit) << before << std::flush;
  const std::string reason =
      "this user has as many engines as the module allows; let go of some (utracectl engine list)";
  ExpectRefusal(stop, "stop process " + pid_, reason);
  EXPECT_THAT(hold.err, StartsWith("utracectl: hold echo ("));
  EXPECT_THAT(hold.err, HasSubstr(reason));
  EXPECT_EQ(hold.status, 125);
  EXPECT_EQ(hold.out, "");
}

TEST_F(CliRefusalTest, AModuleWithoutItsDevice) {
  const char* const aside = "/dev/utrace.aside";
  ASSERT_EQ(rename(UTRACE_DEVICE, aside), 0);
  const CliResult stop = RunCli({"stop", "-p", pid_});
  const CliResult ps = RunCli({"ps"});
  ASSERT_EQ(rename(aside, UTRACE_DEVICE), 0);
  ExpectRefusal(stop, "open /dev/utrace", "the utrace module is loaded, but its device is not");
  ExpectRefusal(ps, "open /dev/utrace", "the utrace module is loaded, but its device is not");
}

TEST_F(CliRefusalTest, AKernelThatCannotBeHooked) {
  const char* const enabled = "/proc/sys/kernel/ftrace_enabled";
  ASSERT_TRUE(Eventually([] { return UnloadModule() == 0; }));
  ASSERT_EQ(LoadModule(), 0);
  std::ofstream(enabled) << 0 << std::endl;
  // 7.3 does not let itself be told: there nobody can take the hooks away like this.
  if (ReadWhole(enabled) == "0\n") {
    const CliResult stop = RunCli({"stop", "-p", pid_});
    const CliResult doctor = RunCli({"doctor"});
    std::ofstream(enabled) << 1 << std::endl;
    ExpectRefusal(stop, "open /dev/utrace", "sudo sysctl kernel.ftrace_enabled=1");
    EXPECT_EQ(doctor.status, 1);
    EXPECT_THAT(doctor.out, HasSubstr("sudo sysctl kernel.ftrace_enabled=1"));
  }
  EXPECT_EQ(RunCli({"stop", "-p", pid_, "--background"}).status, 0);
  EXPECT_EQ(RunCli({"resume", pid_}).status, 0);
  EXPECT_TRUE(Eventually([] { return ListedEngines().empty(); }));
}

}  // namespace
}  // namespace utrace::test
