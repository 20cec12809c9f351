// SPDX-License-Identifier: Apache-2.0
// The module for unit tests. It keeps the contract's real rules (numbers by slot, ERANGE, several
// holders, one-shot notices, owners), and a test moves its threads.
#ifndef UTRACE_TESTING_FAKE_DEVICE_H_
#define UTRACE_TESTING_FAKE_DEVICE_H_

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/device.h"

namespace utrace {

class FakeDevice;

// The module's whole state, shared by its sessions.
class FakeModule {
 public:
  utrace_features features = DefaultFeatures();

  void AddThread(pid_t tid, pid_t tgid);
  // The thread comes to a stoppable event. True if some engine now holds it there.
  bool Reach(pid_t tid, uint32_t event, int32_t nr = -1, int64_t result = 0);
  // The thread comes near user mode: asynchronous stops take hold.
  void ComeBy(pid_t tid);
  // `child` is made by `parent` and joins the engines that ask for it, then CLONE is reported.
  bool Clone(pid_t parent, pid_t child, bool same_process);
  void Die(pid_t tid, int64_t exit_code);

  bool Held(pid_t tid) const;
  bool InterruptAsked(pid_t tid) const { return threads_.at(tid).interrupted; }
  user_regs_struct& RegistersOf(pid_t tid) { return threads_.at(tid).registers; }
  // Of all threads; reads and writes end where it does.
  std::map<uint64_t, std::string>& Memory() { return memory_; }
  uint32_t EventsOf(uint64_t engine, pid_t tid) const;

 private:
  friend class FakeDevice;

  struct Slot {
    uint64_t stop_seq = 0;
    uint64_t go_seq = 0;
    std::set<uint64_t> handed;
    bool Open() const { return stop_seq > go_seq; }
  };
  struct Attachment {
    uint32_t events = 0;
    uint32_t event = 0;
    int32_t nr = -1;
    bool told_stopped = false;
    Slot slots[2];
    bool Holds() const { return slots[0].Open() || slots[1].Open(); }
  };
  struct EngineState {
    FakeDevice* session = nullptr;
    uint64_t cookie = 0;
    uint32_t flags = 0;
    uint32_t events = 0;
    bool stop_newborn = false;
    std::set<int> syscalls;
    std::map<pid_t, Attachment> threads;
  };
  struct Thread {
    pid_t tgid = 0;
    uint64_t counter = 0;
    bool interrupted = false;
    user_regs_struct registers{};
  };

  static utrace_features DefaultFeatures();
  uint64_t NextSeq(pid_t tid, uint32_t slot);
  void Notify(uint64_t id, pid_t tid, uint32_t type, uint64_t seq, const Attachment* attachment,
              int64_t result, uint32_t reason);
  int Release(EngineState& engine, pid_t tid, uint64_t seq);
  uint32_t HeldByOthers(uint64_t id, pid_t tid) const;

  std::map<pid_t, Thread> threads_;
  std::map<uint64_t, EngineState> engines_;
  std::map<uint64_t, std::string> memory_;
  uint64_t last_engine_ = 0;
};

// One session. Dropped, it takes its engines with it, as a close does.
class FakeDevice : public Device {
 public:
  FakeDevice(FakeModule* module, pid_t owner, std::string owner_comm);
  ~FakeDevice() override;

  int Features(utrace_features& request) override;
  int Attach(utrace_attach& request) override;
  int SetEvents(utrace_set_events& request) override;
  int SyscallSet(utrace_syscall_set& request) override;
  int Control(utrace_control& request) override;
  int Barrier(utrace_barrier& request) override;
  int Answer(utrace_answer& request) override;
  int Next(utrace_next& request) override;
  int Regs(utrace_regs& request) override;
  int Memory(utrace_memory& request) override;
  int List(utrace_list& request) override;
  int Read(absl::Span<utrace_notice> notices) override;
  int PollFd() const override { return ready_.Get(); }

  // What the next attach is refused with, once.
  int refuse_attach = 0;
  // Pidfds name processes here by this table.
  std::map<int, pid_t> pidfds;

 private:
  friend class FakeModule;

  FakeModule::EngineState* Own(uint64_t id);
  int ControlOne(FakeModule::EngineState& engine, uint64_t id, pid_t tid, utrace_control& request);
  int Examinable(uint64_t id, pid_t tid);
  void Push(const utrace_notice& notice);

  FakeModule* module_;
  pid_t owner_;
  std::string owner_comm_;
  std::deque<utrace_notice> notices_;
  UniqueFd ready_;
};

}  // namespace utrace

#endif  // UTRACE_TESTING_FAKE_DEVICE_H_
