// SPDX-License-Identifier: Apache-2.0
// Many engines in BPF on a busy process, which come, are replaced, and go, also with their loader.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "userspace/libutrace/bpf/engine_object.h"
#include "userspace/libutrace/bpf/engine_types.h"

namespace utrace::test {
namespace {

constexpr char kObject[] = "/payload/engines/recorder.bpf.o";
constexpr unsigned kEngines = 10;
constexpr unsigned kThreads = 3;

// Ends with 1 when a call of its own gives what it must not.
class Server {
 public:
  Server()
      : count_(static_cast<std::atomic<uint64_t>*>(mmap(
            nullptr, sizeof(*count_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
        fork_([this] {
          std::vector<std::thread> threads;
          for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back([this] { Work(); });
          for (std::thread& thread : threads) thread.join();
          return 0;
        }) {}
  ~Server() { munmap(static_cast<void*>(count_), sizeof(*count_)); }

  pid_t pid() const { return fork_.pid(); }
  uint64_t Count() const { return *count_; }
  bool Runs() const {
    const uint64_t before = Count();
    return Eventually([&] { return Count() > before + 10; });
  }
  // -1 as long as it runs.
  int Ended() { return fork_.Wait(0); }

 private:
  void Work() {
    const pid_t parent = getppid();
    for (;;) {
      const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
      char byte;
      if (fd < 0 || read(fd, &byte, 1) != 0 || close(fd) != 0) _exit(1);
      if (syscall(SYS_getppid) != parent) _exit(1);
      ++*count_;
    }
  }

  std::atomic<uint64_t>* count_;
  Fork fork_;
};

class BpfLoad : public testing::Test {
 protected:
  static unsigned Rounds() {
    const char* rounds = std::getenv("UTRACE_ROUNDS");
    return rounds ? static_cast<unsigned>(std::atoi(rounds)) : 12;
  }
  std::unique_ptr<EngineObject> Loaded(const std::string& name) {
    absl::StatusOr<std::unique_ptr<EngineObject>> engine = EngineObject::Open(kObject);
    EXPECT_TRUE(engine.ok()) << engine.status();
    EXPECT_TRUE((*engine)->SetName(name).ok());
    EXPECT_TRUE((*engine)->SetTarget(server_.pid(), /*children=*/false).ok());
    const absl::Status loaded = (*engine)->Load();
    EXPECT_TRUE(loaded.ok()) << loaded;
    return *std::move(engine);
  }
  std::unique_ptr<EngineObject> Attached(const std::string& name) {
    std::unique_ptr<EngineObject> engine = Loaded(name);
    const absl::Status attached = engine->Attach();
    EXPECT_TRUE(attached.ok()) << attached;
    return engine;
  }
  // A loader that is killed at some moment: before, while or after its engine is attached.
  void KillALoader(unsigned after_ms) {
    Fork loader([this] {
      const std::unique_ptr<EngineObject> engine = Attached("killed");
      for (;;) pause();
      return 0;
    });
    usleep(after_ms * 1000);
    kill(loader.pid(), SIGKILL);
    EXPECT_EQ(loader.Wait(), SIGKILL);
  }

  Server server_;
};

TEST_F(BpfLoad, TenAtOnceComeAndGoUnderLoad) {
  if (!CheckTakesEngines().ok()) return;
  std::mt19937 chance(1);
  std::vector<std::unique_ptr<EngineObject>> engines;
  for (unsigned i = 0; i < kEngines; ++i) engines.push_back(Attached("r" + std::to_string(i)));
  // Threads that are being born join by their creator's report.
  EXPECT_TRUE(Eventually([this] {
    return Device::Open(O_RDONLY).List(server_.pid()).size() == kEngines * (kThreads + 1);
  }));
  EXPECT_TRUE(server_.Runs());
  for (unsigned round = 0; round < Rounds() && !HasFailure(); ++round) {
    std::unique_ptr<EngineObject>& engine = engines[chance() % kEngines];
    const std::string name = engine->Name();
    switch (round % 3) {
      case 0:
        engine.reset();
        engine = Attached(name);
        break;
      case 1: {
        std::unique_ptr<EngineObject> next = Loaded(name);
        const absl::Status replaced = engine->ReplaceBy(next.get());
        ASSERT_TRUE(replaced.ok()) << replaced;
        engine = std::move(next);
        break;
      }
      default:
        KillALoader(static_cast<unsigned>(chance() % 200));
    }
    EXPECT_TRUE(server_.Runs()) << round;
  }
  engines.clear();
  EXPECT_TRUE(Eventually([] { return Device::Open(O_RDONLY).List().empty(); }));
  EXPECT_TRUE(server_.Runs());
  EXPECT_EQ(server_.Ended(), -1);
}

}  // namespace
}  // namespace utrace::test
