// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/device.h"

#include <elf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ostream>
#include <sstream>
#include <utility>

#include "tests/integration/harness.h"

namespace utrace::test {

Device Device::Open(int flags) {
  const int fd = open(UTRACE_DEVICE, flags | O_CLOEXEC);
  return Device(fd < 0 ? -errno : fd);
}

Device::~Device() { Close(); }

Device::Device(Device&& other) noexcept : fd_(std::exchange(other.fd_, -EBADF)) {}

Device& Device::operator=(Device&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void Device::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -EBADF;
}

int Device::Release() { return std::exchange(fd_, -EBADF); }

int Device::Raw(unsigned long request, void* argument) {
  return ioctl(fd_, request, argument) < 0 ? -errno : 0;
}

int64_t Device::Attach(pid_t target, uint32_t events, uint32_t flags, uint64_t cookie) {
  utrace_attach attach{};
  attach.target = target;
  attach.events = events;
  attach.flags = flags;
  attach.cookie = cookie;
  const int error = Call(UTRACE_IOC_ATTACH, &attach);
  return error != 0 ? error : static_cast<int64_t>(attach.engine);
}

int64_t Device::AttachForCalls(pid_t target, uint32_t events, const std::vector<int>& calls,
                               uint32_t flags) {
  const int64_t engine = Attach(target, 0, flags);
  if (engine < 0) return engine;
  if (const int ret = SetCalls(engine, calls); ret != 0) return ret;
  const int ret = SetEvents(engine, 0, events);
  return ret != 0 ? ret : engine;
}

int Device::SetEvents(uint64_t engine, pid_t tid, uint32_t events) {
  utrace_set_events set{};
  set.engine = engine;
  set.tid = tid;
  set.events = events;
  const int ret = Call(UTRACE_IOC_SET_EVENTS, &set);
  if (ret != -EINPROGRESS) return ret;
  utrace_barrier barrier{};
  barrier.engine = engine;
  barrier.tid = tid;
  return Call(UTRACE_IOC_BARRIER, &barrier);
}

int Device::SetCalls(uint64_t engine, const std::vector<int>& calls) {
  utrace_syscall_set set{};
  set.engine = engine;
  for (const int nr : calls) set.bits[nr / 64] |= 1ull << (nr % 64);
  return Call(UTRACE_IOC_SYSCALL_SET, &set);
}

int Device::Control(uint64_t engine, pid_t tid, uint32_t action, uint64_t* seq,
                    utrace_control* out) {
  utrace_control control{};
  control.engine = engine;
  control.tid = tid;
  control.action = action;
  const int error = Call(UTRACE_IOC_CONTROL, &control);
  if (seq != nullptr) *seq = control.seq;
  if (out != nullptr) *out = control;
  return error;
}

int Device::Foreign(uint64_t engine, pid_t tid, uint32_t action, utrace_control* out) {
  utrace_control control{};
  control.flags = UTRACE_CONTROL_FOREIGN;
  control.engine = engine;
  control.tid = tid;
  control.action = action;
  const int error = Call(UTRACE_IOC_CONTROL, &control);
  if (out != nullptr) *out = control;
  return error;
}

int Device::Resume(const utrace_notice& notice) {
  return Resume(notice.engine, notice.tid, notice.seq);
}

int Device::Resume(uint64_t engine, pid_t tid, uint64_t seq) {
  utrace_control control{};
  control.engine = engine;
  control.tid = tid;
  control.action = UTRACE_RESUME;
  control.seq = seq;
  return Call(UTRACE_IOC_CONTROL, &control);
}

int Device::Answer(utrace_answer answer) { return Call(UTRACE_IOC_ANSWER, &answer); }

int Device::Inject(uint64_t engine, pid_t tid, const siginfo_t& info) {
  utrace_inject inject{};
  inject.engine = engine;
  inject.tid = tid;
  std::memcpy(inject.siginfo, &info, sizeof(inject.siginfo));
  return Call(UTRACE_IOC_INJECT, &inject);
}

int Device::Regs(uint64_t engine, pid_t tid, user_regs_struct* values, uint32_t flags) {
  utrace_regs regs{};
  regs.flags = flags;
  regs.engine = engine;
  regs.tid = tid;
  regs.type = NT_PRSTATUS;
  regs.buf = reinterpret_cast<__u64>(values);
  regs.len = sizeof(*values);
  return Call(UTRACE_IOC_REGS, &regs);
}

utrace_notice Device::Next(int timeout_ms) {
  utrace_notice notice{};
  utrace_next next{};
  next.notices = reinterpret_cast<uintptr_t>(&notice);
  next.count = 1;
  next.timeout_ms = Patience(timeout_ms);
  const int error = Call(UTRACE_IOC_NEXT, &next);
  if (error != 0 || next.count == 0) return utrace_notice{};
  return notice;
}

std::vector<utrace_info> Device::List(pid_t tgid) {
  std::vector<utrace_info> infos;
  utrace_list list{};
  do {
    infos.resize(list.count + 16);
    list.entries = reinterpret_cast<uintptr_t>(infos.data());
    list.count = static_cast<uint32_t>(infos.size());
    list.tgid = tgid;
    list.entry_size = sizeof(utrace_info);
    if (Call(UTRACE_IOC_LIST, &list) != 0) return {};
  } while (list.count > infos.size());
  infos.resize(list.count);
  return infos;
}

bool StopAccepted(int stop_error) { return stop_error == 0 || stop_error == -EINPROGRESS; }

utrace_answer AnswerTo(const utrace_notice& notice, uint32_t action) {
  utrace_answer answer{};
  answer.engine = notice.engine;
  answer.seq = notice.seq;
  answer.tid = notice.tid;
  answer.action = action;
  return answer;
}

std::string ToString(const utrace_notice& notice) {
  std::ostringstream text;
  text << "notice{type " << notice.type << " tid " << notice.tid << " event 0x" << std::hex
       << notice.event << std::dec << " seq " << notice.seq << " nr " << notice.nr << " result "
       << notice.result << " reason " << notice.reason << " flags " << notice.flags << "}";
  return text.str();
}

}  // namespace utrace::test

void PrintTo(const utrace_notice& notice, std::ostream* os) {
  *os << utrace::test::ToString(notice);
}
