// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/seed.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/integration/module.h"

namespace utrace::test {
namespace {

constexpr char kGates[] = "/sys/kernel/debug/utrace/gates";
constexpr char kControl[] = "/sys/kernel/debug/utrace_seed/control";
constexpr char kLog[] = "/sys/kernel/debug/utrace_seed/log";
constexpr char kState[] = "/sys/kernel/debug/utrace_seed/state";
// Numbers of engines are 1 to 14; 15 is the racer's.
constexpr unsigned kSeeds = 14;

unsigned g_used = 0;

int Write(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    ADD_FAILURE() << path << ": " << strerror(errno);
    return -errno;
  }
  const int result = write(fd, text.data(), text.size()) < 0 ? -errno : 0;
  close(fd);
  return result;
}

}  // namespace

Puppet::Puppet() {
  const int fd = memfd_create("strings", 0);
  EXPECT_EQ(ftruncate(fd, sizeof(PuppetStrings)), 0);
  strings_ = static_cast<PuppetStrings*>(
      mmap(nullptr, sizeof(PuppetStrings), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  EXPECT_NE(static_cast<void*>(strings_), MAP_FAILED);
  pid_ = fork();
  if (pid_ == 0) {
    execl(TraceePath("puppet").c_str(), "puppet", std::to_string(fd).c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  close(fd);
  EXPECT_TRUE(Runs());
}

Puppet::~Puppet() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  munmap(strings_, sizeof(*strings_));
}

void Puppet::Order(PuppetVerb verb) {
  strings_->verb = verb;
  strings_->orders = strings_->orders + 1;
}

void Puppet::Call(long nr, long argument) {
  strings_->nr = nr;
  strings_->argument = argument;
  Order(PuppetVerb::kCall);
}

void Puppet::CallOn(long nr) {
  strings_->nr = nr;
  Order(PuppetVerb::kCallOn);
}

void Puppet::Exec() { Order(PuppetVerb::kExec); }

bool Puppet::GetsDone() const {
  return Eventually([&] { return Done(); });
}

bool Puppet::Runs() const {
  const unsigned long before = strings_->turns;
  return Eventually([&] { return strings_->turns != before; });
}

bool Puppet::Rests() const {
  const unsigned long before = strings_->turns;
  usleep(100'000);
  return !Done() && strings_->turns == before;
}

Gates::~Gates() { EXPECT_EQ(Write(kGates, "clear"), 0); }

void Gates::Arm(const std::string& point) {
  EXPECT_EQ(Write(kGates, "arm " + std::to_string(tid_) + " " + point), 0) << point;
}

bool Gates::Parked(const std::string& point) const {
  const std::string line = std::to_string(tid_) + " " + point + " ";
  return Eventually([&] {
    std::ifstream file(kGates);
    for (std::string text; std::getline(file, text);) {
      if (text == line + "parked" || text == line + "passed") return true;
    }
    return false;
  });
}

void Gates::Open(const std::string& point) {
  EXPECT_EQ(Write(kGates, "open " + std::to_string(tid_) + " " + point), 0) << point;
}

Seed::Seed() {
  for (id_ = 1; id_ < kSeeds && (g_used & (1u << id_)) != 0; ++id_) {
  }
  g_used |= 1u << id_;
}

Seed::~Seed() {
  if (attached_) {
    Control(UTRACE_DETACH);
    Barrier();
    Put();
  }
  g_used &= ~(1u << id_);
}

int Seed::Command(const std::string& verb, const std::string& arguments) const {
  return SeedCommand(verb + " " + std::to_string(id_) + " " + arguments);
}

int Seed::Attach(pid_t tid, bool nested) {
  const int error = Command("attach", std::to_string(tid) + (nested ? " 1" : " 0"));
  attached_ = error == 0;
  return error;
}

int Seed::SetEvents(uint32_t events) { return Command("events", std::to_string(events)); }
int Seed::Control(uint32_t action) { return Command("control", std::to_string(action)); }
int Seed::Stop() { return Command("stop"); }
int Seed::Resume(uint64_t seq) { return Command("resume", std::to_string(seq)); }
int Seed::Abort(long result) { return Command("abort", std::to_string(result)); }
int Seed::Barrier() { return Command("barrier"); }

void Seed::Answer(utrace_event bit, uint32_t action) {
  EXPECT_EQ(Command("answer", std::to_string(bit) + " " + std::to_string(action)), 0);
}

void Seed::ChangeCall(long nr) { EXPECT_EQ(Command("call", std::to_string(nr)), 0); }
void Seed::ChangeResult(long result) { EXPECT_EQ(Command("result", std::to_string(result)), 0); }

void Seed::Adopt(utrace_event bit, const Seed& other, uint32_t events) {
  EXPECT_EQ(Command("adopt", std::to_string(bit) + " " + std::to_string(other.id()) + " " +
                                 std::to_string(events)),
            0);
}

void Seed::Put() {
  EXPECT_EQ(Command("put"), 0);
  attached_ = false;
}

uint64_t Seed::State(int field) const {
  std::ifstream file(kState);
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    uint64_t value = 0;
    line >> value;
    if (value != id_) continue;
    for (int i = 0; i < field; ++i) line >> value;
    return value;
  }
  ADD_FAILURE() << kState << " does not tell of engine " << id_;
  return 0;
}

std::vector<SeedLine> SeedLog() {
  std::vector<SeedLine> lines;
  std::ifstream file(kLog);
  for (SeedLine line; file >> line.id >> line.what >> line.nr >> line.value;) {
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> SeedCalls() {
  std::vector<std::string> calls;
  for (const SeedLine& line : SeedLog()) calls.push_back(std::to_string(line.id) + " " + line.what);
  return calls;
}

int SeedCommand(const std::string& text) { return Write(kControl, text); }

SeedTest::SeedTest() {
  if (!ModuleIsLoaded("utrace_seed")) {
    EXPECT_EQ(LoadModule("utrace_seed"), 0);
  }
  EXPECT_EQ(SeedCommand("reset"), 0);
}

}  // namespace utrace::test
