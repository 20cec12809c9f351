// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/stress/tracer.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/stress/dice.h"
#include "uapi/utrace.h"

namespace utrace::stress {
namespace {

using test::Device;

// A call that nothing in the target depends on: it may be skipped, and have any result.
bool IsHarmless(int nr) { return nr == SYS_getppid || nr == SYS_getpriority; }

// One thread's doings on a session that it may share.
class Tracer {
 public:
  Tracer(Board* board, Device* device, uint64_t seed, uint64_t role, bool alone)
      : board_(board), device_(device), dice_(seed, role), alone_(alone) {}

  void Run() {
    Attach();
    for (uint64_t turns = 200 + dice_.Below(400); turns > 0; --turns) Turn();
  }

 private:
  void Count() { board_->calls.fetch_add(1, std::memory_order_relaxed); }

  pid_t AnyTarget() { return dice_.Of(board_->targets).pid.load(); }

  void Turn() {
    switch (dice_.Below(32)) {
      case 0:
        Attach();
        break;
      case 1:
        Detach();
        break;
      case 2:
      case 3:
        Control(UTRACE_STOP);
        break;
      case 4:
        Control(dice_.OneIn(2) ? UTRACE_INTERRUPT : UTRACE_REPORT);
        break;
      case 5:
        Control(UTRACE_RESUME);
        break;
      case 6:
        SetEvents();
        break;
      case 7:
        Barrier();
        break;
      case 8:
        Inject();
        break;
      case 9:
        Examine();
        break;
      case 10:
        Foreign();
        break;
      case 11:
        // Late, or for the second time.
        if (!notices_.empty()) Answer(dice_.Among(notices_));
        break;
      case 12:
        if (alone_ && dice_.OneIn(20)) Reopen();
        break;
      case 13:
        if (dice_.OneIn(20)) LeaveACopy();
        break;
      default:
        Listen();
    }
  }

  void Attach() {
    static constexpr uint32_t kFlags[] = {UTRACE_TARGET_GROUP,     UTRACE_TARGET_CHILDREN,
                                          UTRACE_TARGET_HANDOVER,  UTRACE_TARGET_NESTED,
                                          UTRACE_TARGET_INTERCEPT, UTRACE_TARGET_TRACE};
    if (engines_.size() >= 6) return;
    uint32_t flags = 0;
    for (const uint32_t flag : kFlags)
      if (dice_.OneIn(flag == UTRACE_TARGET_TRACE ? 12 : 3)) flags |= flag;
    Count();
    const int64_t engine = device_->Attach(AnyTarget(), Events(), flags, dice_.Bits());
    if (engine > 0) engines_.push_back(static_cast<uint64_t>(engine));
  }

  uint32_t Events() {
    uint32_t events = static_cast<uint32_t>(dice_.Bits()) & UTRACE_EVENTS_STOPPABLE;
    // All calls of a thread would leave it no time for the rest.
    if (!dice_.OneIn(4)) events &= ~UTRACE_EVENT_SYSCALL;
    if (!dice_.OneIn(4)) events &= ~UTRACE_EVENT(QUIESCE);
    return events | UTRACE_EVENT(STEP);
  }

  void Detach() {
    if (engines_.size() < 2) return;
    const size_t which = dice_.Below(engines_.size());
    Count();
    device_->Control(engines_[which], 0, UTRACE_DETACH);
    engines_.erase(engines_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  uint64_t AnyEngine() { return engines_.empty() ? dice_.Below(100) : dice_.Among(engines_); }
  pid_t AnyThread() { return dice_.OneIn(2) || notices_.empty() ? 0 : dice_.Among(notices_).tid; }

  // One that was given lately, mostly.
  uint64_t AnySeq() {
    if (notices_.empty() || dice_.OneIn(4)) return UTRACE_SEQ_LATEST;
    const uint64_t seq = dice_.Among(notices_).seq;
    return dice_.OneIn(8) ? seq + dice_.Below(9) - 4 : seq;
  }

  void Control(uint32_t action) {
    Count();
    if (action == UTRACE_RESUME) {
      const pid_t tid = AnyThread();
      device_->Resume(AnyEngine(), tid, tid == 0 ? UTRACE_SEQ_LATEST : AnySeq());
    } else {
      device_->Control(AnyEngine(), AnyThread(), action);
    }
  }

  void SetEvents() {
    const uint64_t engine = AnyEngine();
    Count();
    if (dice_.OneIn(2))
      device_->SetEvents(engine, 0, Events());
    else
      device_->SetCalls(engine, {SYS_getppid, SYS_execve, SYS_clone, SYS_exit_group});
  }

  void Barrier() {
    if (notices_.empty()) return;
    utrace_barrier barrier{};
    barrier.engine = AnyEngine();
    barrier.tid = dice_.Among(notices_).tid;
    Count();
    device_->Call(UTRACE_IOC_BARRIER, &barrier);
  }

  void Inject() {
    static constexpr int kSignals[] = {SIGUSR1, SIGUSR2, SIGURG, SIGCONT, SIGWINCH};
    if (notices_.empty()) return;
    siginfo_t info{};
    info.si_signo = dice_.Of(kSignals);
    info.si_code = SI_QUEUE;
    Count();
    device_->Inject(AnyEngine(), dice_.Among(notices_).tid, info);
  }

  void Examine() {
    if (notices_.empty()) return;
    const utrace_notice notice = dice_.Among(notices_);
    user_regs_struct regs{};
    Count();
    if (device_->Regs(notice.engine, notice.tid, &regs) != 0) return;
    uint64_t words[16];
    utrace_memory memory{};
    memory.engine = notice.engine;
    memory.tid = notice.tid;
    memory.addr = regs.rsp;
    memory.buf = reinterpret_cast<uintptr_t>(words);
    memory.len = sizeof words;
    Count();
    device_->Call(UTRACE_IOC_MEMORY, &memory);
  }

  // Other sessions' engines are let go, too.
  void Foreign() {
    Count();
    const std::vector<utrace_info> infos = device_->List();
    if (infos.empty()) return;
    const utrace_info& info = dice_.Among(infos);
    Count();
    if (dice_.OneIn(4))
      device_->Foreign(info.engine, 0, UTRACE_DETACH);
    else
      device_->Foreign(info.engine, info.tid, UTRACE_RESUME);
  }

  void Reopen() {
    Count();
    *device_ = Device::Open();
    engines_.clear();
    notices_.clear();
  }

  // A child that has the session's file and may outlive it.
  void LeaveACopy() {
    if (fork() == 0) {
      usleep(static_cast<useconds_t>(dice_.Below(20'000)));
      _exit(0);
    }
  }

  void Listen() {
    utrace_notice batch[4] = {};
    utrace_next next{};
    next.notices = reinterpret_cast<uintptr_t>(batch);
    next.count = 1 + static_cast<uint32_t>(dice_.Below(4));
    next.timeout_ms = static_cast<int>(dice_.Below(10));
    Count();
    if (device_->Call(UTRACE_IOC_NEXT, &next) != 0) return;
    for (uint32_t i = 0; i < next.count; ++i) {
      const utrace_notice& notice = batch[i];
      if (notices_.size() >= 16) notices_.erase(notices_.begin());
      notices_.push_back(notice);
      const bool holds = notice.type == UTRACE_NOTICE_HELD || notice.type == UTRACE_NOTICE_STOPPED;
      if (holds && !dice_.OneIn(12)) {
        if (alone_ && dice_.OneIn(10)) WriteBack(notice);
        Answer(notice);
      }
    }
  }

  // Its registers as they are: nothing of it may change.  It stays held by this one meanwhile.
  void WriteBack(const utrace_notice& notice) {
    user_regs_struct regs{};
    Count();
    if (device_->Regs(notice.engine, notice.tid, &regs) != 0) return;
    Count();
    device_->Regs(notice.engine, notice.tid, &regs, UTRACE_EXAMINE_WRITE);
  }

  void Answer(const utrace_notice& notice) {
    static constexpr uint32_t kActions[] = {UTRACE_RESUME,     UTRACE_RESUME,    UTRACE_RESUME,
                                            UTRACE_RESUME,     UTRACE_REPORT,    UTRACE_INTERRUPT,
                                            UTRACE_SINGLESTEP, UTRACE_BLOCKSTEP, UTRACE_DETACH};
    utrace_answer answer = test::AnswerTo(notice, dice_.Of(kActions));
    if (notice.event == UTRACE_EVENT(SYSCALL_ENTRY) && IsHarmless(notice.nr) && dice_.OneIn(3)) {
      answer.action |= UTRACE_SYSCALL_ABORT;
      answer.flags = UTRACE_ANSWER_SET_RESULT;
      answer.result = 7;
    } else if (notice.event == UTRACE_EVENT(SYSCALL_EXIT) && IsHarmless(notice.nr) &&
               dice_.OneIn(3)) {
      answer.flags = UTRACE_ANSWER_SET_RESULT;
      answer.result = 8;
    } else if (notice.event == UTRACE_EVENT(EXIT) && dice_.OneIn(3)) {
      answer.flags = UTRACE_ANSWER_SET_RESULT;
      answer.result = 9 << 8;
    } else if ((notice.event & UTRACE_EVENTS_SIGNAL) != 0) {
      Judge(notice, &answer);
    }
    Count();
    if (device_->Answer(answer) == 0) board_->answers.fetch_add(1, std::memory_order_relaxed);
  }

  void Judge(const utrace_notice& notice, utrace_answer* answer) {
    const auto signo = static_cast<int>(notice.result);
    if (signo != SIGUSR1 && signo != SIGUSR2) return;
    switch (dice_.Below(12)) {
      case 0:
        answer->action |= UTRACE_SIGNAL_IGN;
        break;
      case 1:
        answer->action |= UTRACE_SIGNAL_IGN | UTRACE_SIGNAL_HOLD;
        break;
      case 2:
      case 3: {
        siginfo_t other{};
        other.si_signo = signo == SIGUSR1 ? SIGUSR2 : SIGUSR1;
        other.si_code = SI_QUEUE;
        answer->flags = UTRACE_ANSWER_SET_SIGNAL;
        std::memcpy(answer->siginfo, &other, sizeof answer->siginfo);
        break;
      }
      case 4:
        answer->action |= UTRACE_SIGNAL_STOP;
        break;
      case 5:
        if (dice_.OneIn(6))
          answer->action |= dice_.OneIn(2) ? UTRACE_SIGNAL_TERM : UTRACE_SIGNAL_CORE;
        break;
      default:
        break;
    }
  }

  Board* const board_;
  Device* const device_;
  Dice dice_;
  const bool alone_;
  std::vector<uint64_t> engines_;
  // The last ones, answered or not.
  std::vector<utrace_notice> notices_;
};

}  // namespace

int RunTracer(Board* board, uint64_t seed) {
  signal(SIGCHLD, SIG_IGN);
  Device device = Device::Open();
  if (device.fd() < 0) return 3;
  const bool alone = seed % 3 != 0;
  Tracer first(board, &device, seed, 0, alone);
  if (alone) {
    first.Run();
  } else {
    Tracer second(board, &device, seed, 1, alone);
    std::thread other([&] { second.Run(); });
    first.Run();
    other.join();
  }
  return 0;
}

}  // namespace utrace::stress
