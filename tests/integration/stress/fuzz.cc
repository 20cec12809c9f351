// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/stress/fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <thread>

#include "tests/integration/stress/dice.h"
#include "uapi/utrace.h"

namespace utrace::stress {
namespace {

constexpr size_t kRoom = 1024;
constexpr uint64_t kEdges[] = {0, 1, 2, 7, 0x7fffffff, 0x80000000, 0xffffffff, ~0ull, 1ull << 63};

// Where in its structure a call has what.
struct Field {
  size_t offset;
  size_t bytes;
  enum { kFlags, kEngine, kThread, kTarget, kEvents, kAction, kSeq, kBuffer, kLength, kAny } what;
};

struct Request {
  unsigned long number;
  uint32_t size;
  std::vector<Field> fields;
};

#define AT(type, member, what) \
  Field { offsetof(type, member), sizeof(type::member), Field::what }

const std::vector<Request>& Requests() {
  static const std::vector<Request> requests = {
      {UTRACE_IOC_FEATURES, sizeof(utrace_features), {AT(utrace_features, flags, kFlags)}},
      {UTRACE_IOC_ATTACH,
       sizeof(utrace_attach),
       {AT(utrace_attach, flags, kFlags), AT(utrace_attach, target, kTarget),
        AT(utrace_attach, events, kEvents)}},
      {UTRACE_IOC_SET_EVENTS,
       sizeof(utrace_set_events),
       {AT(utrace_set_events, engine, kEngine), AT(utrace_set_events, tid, kThread),
        AT(utrace_set_events, events, kEvents)}},
      {UTRACE_IOC_SYSCALL_SET,
       sizeof(utrace_syscall_set),
       {AT(utrace_syscall_set, engine, kEngine)}},
      {UTRACE_IOC_CONTROL,
       sizeof(utrace_control),
       {AT(utrace_control, flags, kFlags), AT(utrace_control, engine, kEngine),
        AT(utrace_control, tid, kThread), AT(utrace_control, action, kAction),
        AT(utrace_control, seq, kSeq)}},
      {UTRACE_IOC_BARRIER,
       sizeof(utrace_barrier),
       {AT(utrace_barrier, engine, kEngine), AT(utrace_barrier, tid, kThread)}},
      {UTRACE_IOC_ANSWER,
       sizeof(utrace_answer),
       {AT(utrace_answer, flags, kFlags), AT(utrace_answer, engine, kEngine),
        AT(utrace_answer, tid, kThread), AT(utrace_answer, action, kAction),
        AT(utrace_answer, seq, kSeq), AT(utrace_answer, result, kAny),
        AT(utrace_answer, nr, kAny)}},
      {UTRACE_IOC_NEXT,
       sizeof(utrace_next),
       {AT(utrace_next, answer, kBuffer), AT(utrace_next, notices, kBuffer),
        AT(utrace_next, count, kLength), AT(utrace_next, timeout_ms, kFlags),
        AT(utrace_next, notice_size, kLength)}},
      {UTRACE_IOC_REGS,
       sizeof(utrace_regs),
       {AT(utrace_regs, flags, kFlags), AT(utrace_regs, engine, kEngine),
        AT(utrace_regs, tid, kThread), AT(utrace_regs, type, kAction),
        AT(utrace_regs, buf, kBuffer), AT(utrace_regs, len, kLength)}},
      {UTRACE_IOC_MEMORY,
       sizeof(utrace_memory),
       {AT(utrace_memory, flags, kFlags), AT(utrace_memory, engine, kEngine),
        AT(utrace_memory, tid, kThread), AT(utrace_memory, addr, kAny),
        AT(utrace_memory, buf, kBuffer), AT(utrace_memory, len, kLength)}},
      {UTRACE_IOC_LIST,
       sizeof(utrace_list),
       {AT(utrace_list, entries, kBuffer), AT(utrace_list, count, kLength),
        AT(utrace_list, tgid, kThread), AT(utrace_list, entry_size, kLength)}},
      {UTRACE_IOC_INJECT,
       sizeof(utrace_inject),
       {AT(utrace_inject, engine, kEngine), AT(utrace_inject, tid, kThread)}},
      // There is no such call.
      {UTRACE_IOC_INJECT + 1, 64, {}},
  };
  return requests;
}

class Fuzzer {
 public:
  Fuzzer(Board* board, std::vector<pid_t> strangers, uint64_t seed, uint64_t role)
      : board_(board), threads_(std::move(strangers)), dice_(seed, role) {
    Open();
  }

  [[noreturn]] void Run() {
    BreakLongWaits();
    for (;;) {
      switch (dice_.Below(40)) {
        case 0:
          if (dice_.OneIn(10)) Open();
          break;
        case 1:
          Read();
          break;
        case 2: {
          pollfd poll_fd{fd_, static_cast<short>(dice_.Bits()), 0};
          poll(&poll_fd, 1, static_cast<int>(dice_.Below(3)));
          break;
        }
        case 3:
          Other();
          break;
        default:
          Call();
      }
    }
  }

 private:
  // With nothing behind it, far beyond what a length of chance times a count reaches.
  static std::byte* Buffer() {
    constexpr size_t kBehind = size_t{64} << 30;
    void* const map =
        mmap(nullptr, kBehind, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED || mprotect(map, size_t{4} << 20, PROT_READ | PROT_WRITE) != 0) abort();
    return static_cast<std::byte*>(map);
  }

  void Open() {
    if (fd_ >= 0) close(fd_);
    engines_.clear();
    fd_ = open(UTRACE_DEVICE, (dice_.OneIn(8) ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  }

  // Of this thread, every few milliseconds.
  static void BreakLongWaits() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGALRM;
    event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
    timer_t timer;
    const itimerspec often{{0, 20'000'000}, {0, 20'000'000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
      timer_settime(timer, 0, &often, nullptr);
  }

  void Read() {
    char notices[2048];
    const ssize_t got = read(fd_, notices, dice_.Below(sizeof notices));
    if (got < static_cast<ssize_t>(sizeof(utrace_notice))) return;
    utrace_notice notice;
    std::memcpy(&notice, notices, sizeof notice);
    Remember(notice);
  }

  void Remember(const utrace_notice& notice) {
    seqs_[dice_.Below(seqs_.size())] = notice.seq;
    if (notice.tid != 0 && threads_.size() < 200) threads_.push_back(notice.tid);
  }

  // What a device of this kind does not do.
  void Other() {
    switch (dice_.Below(4)) {
      case 0:
        lseek(fd_, static_cast<off_t>(dice_.Bits()), SEEK_SET);
        break;
      case 1:
        if (write(fd_, buffer_, dice_.Below(100)) > 0) abort();
        break;
      case 2:
        mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd_, 0);
        break;
      default:
        ioctl(fd_, dice_.Bits() & 0xffffffff, buffer_);
    }
  }

  uint64_t Value(const Field& field) {
    if (dice_.OneIn(12)) return dice_.Of(kEdges);
    switch (field.what) {
      case Field::kFlags:
        return dice_.OneIn(3) ? 0 : dice_.Below(64);
      case Field::kEngine:
        return engines_.empty() ? dice_.Below(1000) : dice_.Among(engines_);
      case Field::kThread:
        if (dice_.OneIn(3)) return 0;
        [[fallthrough]];
      case Field::kTarget:
        return threads_.empty() || dice_.OneIn(2)
                   ? static_cast<uint64_t>(dice_.Of(board_->targets).pid.load())
                   : static_cast<uint64_t>(dice_.Among(threads_));
      case Field::kEvents:
        return dice_.OneIn(4) ? dice_.Bits() : dice_.Bits() & UTRACE_EVENTS_STOPPABLE;
      case Field::kAction:
        return dice_.Below(7) | (dice_.OneIn(3) ? dice_.Below(6) << 4 : 0);
      case Field::kSeq:
        return dice_.OneIn(3) ? 0 : dice_.Among(seqs_);
      case Field::kBuffer:
        return dice_.OneIn(10) ? dice_.Bits() : reinterpret_cast<uintptr_t>(buffer_);
      case Field::kLength:
        return dice_.Below(kRoom);
      case Field::kAny:
        return dice_.Bits();
    }
    return 0;
  }

  void Call() {
    const Request& request = dice_.Among(Requests());
    alignas(8) std::array<std::byte, kRoom> bytes{};
    const uint32_t size = dice_.OneIn(16)   ? static_cast<uint32_t>(dice_.Of(kEdges))
                          : dice_.OneIn(16) ? static_cast<uint32_t>(dice_.Below(kRoom))
                                            : request.size;
    std::memcpy(bytes.data(), &size, sizeof size);
    for (const Field& field : request.fields) {
      const uint64_t value = Value(field);
      std::memcpy(bytes.data() + field.offset, &value, field.bytes);
    }
    // A byte that should be zero, perhaps.
    if (dice_.OneIn(16)) bytes[dice_.Below(request.size)] = static_cast<std::byte>(dice_.Bits());
    if (dice_.OneIn(4))
      for (uint64_t i = 0; i < sizeof(utrace_answer); ++i)
        buffer_[i] = static_cast<std::byte>(dice_.OneIn(3) ? dice_.Bits() : 0);
    void* const argument =
        dice_.OneIn(40) ? reinterpret_cast<void*>(dice_.Bits()) : static_cast<void*>(bytes.data());
    if (ioctl(fd_, request.number, argument) != 0) return;
    board_->calls.fetch_add(1, std::memory_order_relaxed);
    if (request.number == UTRACE_IOC_ATTACH && argument == bytes.data()) {
      utrace_attach attach;
      std::memcpy(&attach, bytes.data(), sizeof attach);
      if (engines_.size() >= 8) engines_.erase(engines_.begin());
      engines_.push_back(attach.engine);
    } else if (request.number == UTRACE_IOC_NEXT && argument == bytes.data()) {
      utrace_next next;
      std::memcpy(&next, bytes.data(), sizeof next);
      // Else there are chance's numbers, of processes that nobody here may touch.
      if (next.count == 0 || next.notices != reinterpret_cast<uintptr_t>(buffer_)) return;
      utrace_notice notice;
      std::memcpy(&notice, buffer_, sizeof notice);
      Remember(notice);
    }
  }

  Board* const board_;
  std::vector<pid_t> threads_;
  std::vector<uint64_t> engines_;
  std::array<uint64_t, 8> seqs_{};
  Dice dice_;
  int fd_ = -1;
  std::byte* const buffer_ = Buffer();
};

}  // namespace

int RunFuzzer(Board* board, const std::vector<pid_t>& strangers, uint64_t seed) {
  signal(SIGCHLD, SIG_IGN);
  std::vector<std::thread> threads;
  for (uint64_t role = 0; role < 4; ++role) {
    threads.emplace_back([=] {
      Fuzzer fuzzer(board, strangers, seed, 10 + role);
      fuzzer.Run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace utrace::stress
