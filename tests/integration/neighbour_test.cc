// SPDX-License-Identifier: Apache-2.0
// Others who hook the functions that we hook, at the same time: each goes on as if it were alone,
// or says who stands in its way.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/module.h"
#include "tests/integration/tracefs.h"
#include "tests/integration/watcher.h"

namespace utrace::test {
namespace {

std::vector<std::string> OurFunctions() {
  Device device = Device::Open();
  utrace_features features{};
  EXPECT_EQ(device.Call(UTRACE_IOC_FEATURES, &features), 0);
  std::istringstream words(features.hook_names);
  return {std::istream_iterator<std::string>(words), {}};
}

// Somebody on all functions that we hook, until destroyed.
class Neighbour {
 public:
  virtual ~Neighbour() = default;
  // Those that it has not seen called.
  virtual std::vector<std::string> Missed() const = 0;
};

// A tracer of ftrace's: its trace has each function's name.
class Tracer : public Neighbour {
 public:
  Tracer(const std::string& name, const std::vector<std::string>& functions)
      : functions_(functions) {
    EXPECT_EQ(WriteTracing("current_tracer", "nop", O_TRUNC), 0);
    for (const std::string& function : functions)
      EXPECT_EQ(WriteTracing("set_ftrace_filter", function, O_APPEND), 0) << function;
    EXPECT_EQ(WriteTracing("current_tracer", name, O_TRUNC), 0);
  }
  ~Tracer() override {
    EXPECT_EQ(WriteTracing("current_tracer", "nop", O_TRUNC), 0);
    EXPECT_EQ(WriteTracing("set_ftrace_filter", "", O_TRUNC), 0);
  }
  std::vector<std::string> Missed() const override {
    const std::string trace = ReadTracing("trace");
    std::vector<std::string> missed = functions_;
    std::erase_if(missed, [&](const std::string& function) {
      return trace.find(" " + function + "(") != std::string::npos ||
             trace.find(" " + function + " <-") != std::string::npos;
    });
    return missed;
  }

 private:
  const std::vector<std::string> functions_;
};

// Probes at their beginnings, or at their returns.
class Probes : public Neighbour {
 public:
  Probes(char kind, const std::vector<std::string>& functions) : functions_(functions) {
    for (const std::string& function : functions)
      EXPECT_EQ(
          WriteTracing("kprobe_events",
                       std::string(1, kind) + ":neighbour/" + function + " " + function, O_APPEND),
          0)
          << function;
    EXPECT_EQ(WriteTracing("events/neighbour/enable", "1", O_TRUNC), 0);
  }
  ~Probes() override {
    EXPECT_EQ(WriteTracing("events/neighbour/enable", "0", O_TRUNC), 0);
    for (const std::string& function : functions_)
      EXPECT_EQ(WriteTracing("kprobe_events", "-:neighbour/" + function, O_APPEND), 0);
  }
  std::vector<std::string> Missed() const override {
    std::vector<std::string> missed = functions_;
    std::istringstream lines(ReadTracing("kprobe_profile"));
    for (std::string name, hits, misses; lines >> name >> hits >> misses;) {
      if (hits != "0") std::erase(missed, name);
    }
    return missed;
  }

 private:
  const std::vector<std::string> functions_;
};

// BPF programs on them, by trampolines; they do nothing but be called.
class Trampolines : public Neighbour {
 public:
  Trampolines(bpf_attach_type type, const std::vector<std::string>& functions)
      : stats_(bpf_enable_stats(BPF_STATS_RUN_TIME)) {
    EXPECT_GE(stats_, 0);
    for (const std::string& function : functions) Attach(type, function);
  }
  ~Trampolines() override {
    for (const Program& program : programs_) {
      close(program.link);
      close(program.fd);
    }
    close(stats_);
  }
  std::vector<std::string> Missed() const override {
    std::vector<std::string> missed;
    for (const Program& program : programs_) {
      bpf_prog_info info{};
      __u32 size = sizeof info;
      EXPECT_EQ(bpf_obj_get_info_by_fd(program.fd, &info, &size), 0);
      if (info.run_cnt == 0) missed.push_back(program.function);
    }
    return missed;
  }

 private:
  struct Program {
    std::string function;
    int fd;
    int link;
  };

  void Attach(bpf_attach_type type, const std::string& function) {
    const bpf_insn body[] = {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
                             {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = type;
    const int id = libbpf_find_vmlinux_btf_id(function.c_str(), type);
    ASSERT_GT(id, 0) << function;
    options.attach_btf_id = static_cast<__u32>(id);
    const int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "neighbour", "GPL", body, 2, &options);
    ASSERT_GE(fd, 0) << function << ": " << errno;
    const int link = bpf_raw_tracepoint_open(nullptr, fd);
    EXPECT_GE(link, 0) << function << ": " << errno;
    programs_.push_back({function, fd, link});
  }

  const int stats_;
  std::vector<Program> programs_;
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Neighbour>(const std::vector<std::string>&)> move_in;
  bool at_return;
};

void PrintTo(const Kind& kind, std::ostream* os) { *os << kind.name; }

const Kind kKinds[] = {
    {"function", [](const auto& all) { return std::make_unique<Tracer>("function", all); }, false},
    {"function_graph",
     [](const auto& all) { return std::make_unique<Tracer>("function_graph", all); }, false},
    {"kprobe", [](const auto& all) { return std::make_unique<Probes>('p', all); }, false},
    {"kretprobe", [](const auto& all) { return std::make_unique<Probes>('r', all); }, true},
    {"fentry", [](const auto& all) { return std::make_unique<Trampolines>(BPF_TRACE_FENTRY, all); },
     false},
    {"fexit", [](const auto& all) { return std::make_unique<Trampolines>(BPF_TRACE_FEXIT, all); },
     true},
};

class HookNeighbour : public testing::TestWithParam<Kind> {
 protected:
  HookNeighbour() {
    // There is nothing to be seen at the return of these, and the kernel says so.
    if (GetParam().at_return)
      std::erase_if(functions_, [](const std::string& function) {
        return function == "do_exit" || function == "do_group_exit";
      });
  }
  std::unique_ptr<Neighbour> MoveIn() const { return GetParam().move_in(functions_); }

  // Both at work: neither misses anything, and the program sees nothing of it.
  void Works(const Watcher& watcher, HeldEverywhere* holder, const Neighbour& neighbour) {
    watcher.Go();
    EXPECT_GT(holder->AnswerAll(), 500);
    EXPECT_EQ(watcher.Saw(), seen_);
    for (const std::string& function : neighbour.Missed())
      EXPECT_THAT(kRare, testing::Contains(function)) << "was not seen called";
  }

  // Nothing that the watcher does need call them.
  static inline const std::vector<std::string> kRare = {"set_syscall_user_dispatch",
                                                        "syscall_user_dispatch_set_config",
                                                        "syscall_user_dispatch_get_config",
                                                        "arch_uprobe_pre_xol",
                                                        "arch_uprobe_post_xol",
                                                        "user_enable_block_step",
                                                        "__audit_syscall_exit"};
  std::vector<std::string> functions_ = OurFunctions();
  const std::string seen_ = SeenBare();
};

INSTANTIATE_TEST_SUITE_P(Hooks, HookNeighbour, testing::ValuesIn(kKinds));

TEST_P(HookNeighbour, WhoWasThereBefore) {
  const std::unique_ptr<Neighbour> neighbour = MoveIn();
  const Watcher watcher;
  HeldEverywhere holder(watcher, 0);
  Works(watcher, &holder, *neighbour);
}

TEST_P(HookNeighbour, WhoComesLater) {
  const Watcher watcher;
  HeldEverywhere holder(watcher, 0);
  const std::unique_ptr<Neighbour> neighbour = MoveIn();
  Works(watcher, &holder, *neighbour);
}

TEST_P(HookNeighbour, WhoComesAndGoesMeanwhile) {
  const Watcher watcher;
  HeldEverywhere holder(watcher, 0);
  watcher.Go();
  int answered = 0;
  std::thread answers([&] { answered = holder.AnswerAll(); });
  MoveIn();
  answers.join();
  EXPECT_GT(answered, 500);
  EXPECT_EQ(watcher.Saw(), seen_);
}

// A live patch takes the function for itself, as we do: whoever comes second is told so.
class LivePatch : public testing::Test {
 protected:
  static constexpr char kName[] = "utrace_livepatch";

  void TearDown() override {
    if (ModuleIsLoaded(kName)) Leave();
  }
  // Not before each thread was seen outside of what it patches.
  static void Leave() {
    const std::string folder = std::string("/sys/kernel/livepatch/") + kName;
    std::ofstream(folder + "/enabled") << 0 << std::flush;
    EXPECT_TRUE(Eventually([&] { return access(folder.c_str(), F_OK) != 0; }, 20'000));
    EXPECT_TRUE(Eventually([] { return UnloadModule(kName) == 0; }));
  }
};

TEST_F(LivePatch, ThatComesSecondIsRefused) {
  Tracee tracee({"actor"});
  Device device = Device::Open();
  ASSERT_GT(device.Attach(tracee.pid(), UTRACE_EVENT(EXEC)), 0);
  EXPECT_EQ(LoadModule(kName), -EBUSY);
  tracee.Tell("exec");
  const utrace_notice notice = device.Next();
  EXPECT_EQ(notice.event, UTRACE_EVENT(EXEC)) << ToString(notice);
  EXPECT_EQ(device.Resume(notice), 0);
  EXPECT_EQ(tracee.Hear(), "ready");
}

TEST_F(LivePatch, ThatCameFirstRefusesUs) {
  const auto hooks = [] {
    utrace_features features{};
    Device::Open(O_RDONLY).Call(UTRACE_IOC_FEATURES, &features);
    return features.hooks;
  };
  // They leave some seconds after the last engine.
  ASSERT_TRUE(Eventually([&] { return hooks() == 0; }));
  ASSERT_EQ(LoadModule(kName), 0);
  KernelLog log;
  EXPECT_EQ(Device::Open().fd(), -EBUSY);
  EXPECT_THAT(log.Text(), testing::HasSubstr("proc_exec_connector"));
  Leave();
  EXPECT_GE(Device::Open().fd(), 0);
}

}  // namespace
}  // namespace utrace::test
