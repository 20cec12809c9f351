// SPDX-License-Identifier: Apache-2.0
#include "userspace/testing/fake_device.h"

#include <elf.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace utrace {

utrace_features FakeModule::DefaultFeatures() {
  auto features = Sized<utrace_features>();
  features.abi = UTRACE_ABI_VERSION;
  features.events = UTRACE_EVENTS_ALL;
  features.actions = 1u << UTRACE_STOP | 1u << UTRACE_INTERRUPT | 1u << UTRACE_REPORT |
                     1u << UTRACE_SINGLESTEP | 1u << UTRACE_BLOCKSTEP | 1u << UTRACE_RESUME |
                     1u << UTRACE_DETACH;
  features.target_flags = UTRACE_TARGET_FLAGS_ALL;
  std::strncpy(features.version, "0.1.0-fake", sizeof(features.version) - 1);
  return features;
}

void FakeModule::AddThread(pid_t tid, pid_t tgid) { threads_[tid].tgid = tgid; }

uint64_t FakeModule::NextSeq(pid_t tid, uint32_t slot) {
  return ++threads_[tid].counter << 1 | slot;
}

void FakeModule::Notify(uint64_t id, pid_t tid, uint32_t type, uint64_t seq,
                        const Attachment* attachment, int64_t result, uint32_t reason) {
  const EngineState& engine = engines_.at(id);
  auto notice = Sized<utrace_notice>();
  notice.type = type;
  notice.engine = id;
  notice.cookie = engine.cookie;
  notice.seq = seq;
  notice.tid = tid;
  notice.tgid = threads_.at(tid).tgid;
  notice.event = attachment ? attachment->event : 0;
  notice.nr = attachment ? attachment->nr : -1;
  notice.reason = reason;
  notice.result = result;
  engine.session->Push(notice);
}

bool FakeModule::Reach(pid_t tid, uint32_t event, int32_t nr, int64_t result) {
  for (auto& [id, engine] : engines_) {
    const auto found = engine.threads.find(tid);
    if (found == engine.threads.end() || !(found->second.events & event)) continue;
    if (event & UTRACE_EVENT_SYSCALL && !engine.syscalls.empty() && !engine.syscalls.count(nr)) {
      continue;
    }
    Attachment& attachment = found->second;
    const uint64_t seq = NextSeq(tid, UTRACE_SLOT_REPORT);
    attachment.slots[UTRACE_SLOT_REPORT].handed.insert(seq);
    attachment.slots[UTRACE_SLOT_REPORT].stop_seq = seq;
    attachment.event = event;
    attachment.nr = nr;
    Notify(id, tid, UTRACE_NOTICE_HELD, seq, &attachment, result, 0);
  }
  return Held(tid);
}

void FakeModule::ComeBy(pid_t tid) {
  for (auto& [id, engine] : engines_) {
    const auto found = engine.threads.find(tid);
    if (found == engine.threads.end()) continue;
    Attachment& attachment = found->second;
    if (!attachment.slots[UTRACE_SLOT_ASYNC].Open() || attachment.told_stopped) continue;
    attachment.told_stopped = true;
    Notify(id, tid, UTRACE_NOTICE_STOPPED, attachment.slots[UTRACE_SLOT_ASYNC].stop_seq,
           &attachment, 0, 0);
  }
}

bool FakeModule::Clone(pid_t parent, pid_t child, bool same_process) {
  AddThread(child, same_process ? threads_.at(parent).tgid : child);
  for (auto& [id, engine] : engines_) {
    const uint32_t wanted =
        same_process ? UTRACE_TARGET_GROUP | UTRACE_TARGET_CHILDREN : UTRACE_TARGET_CHILDREN;
    if (!engine.threads.count(parent) || !(engine.flags & wanted)) continue;
    Attachment& attachment = engine.threads[child];
    attachment.events = engine.events;
    Notify(id, child, UTRACE_NOTICE_ATTACHED, 0, nullptr, 0, 0);
    if (!engine.stop_newborn) continue;
    const uint64_t seq = NextSeq(child, UTRACE_SLOT_ASYNC);
    attachment.slots[UTRACE_SLOT_ASYNC].handed.insert(seq);
    attachment.slots[UTRACE_SLOT_ASYNC].stop_seq = seq;
  }
  return Reach(parent, UTRACE_EVENT(CLONE), -1, child);
}

void FakeModule::Die(pid_t tid, int64_t exit_code) {
  for (auto& [id, engine] : engines_) {
    if (!engine.threads.count(tid)) continue;
    Notify(id, tid, UTRACE_NOTICE_GONE, 0, nullptr, exit_code, UTRACE_GONE_DEATH);
    engine.threads.erase(tid);
  }
  threads_.erase(tid);
}

bool FakeModule::Held(pid_t tid) const {
  return std::any_of(engines_.begin(), engines_.end(), [tid](const auto& entry) {
    const auto found = entry.second.threads.find(tid);
    return found != entry.second.threads.end() && found->second.Holds();
  });
}

uint32_t FakeModule::EventsOf(uint64_t engine, pid_t tid) const {
  return engines_.at(engine).threads.at(tid).events;
}

uint32_t FakeModule::HeldByOthers(uint64_t id, pid_t tid) const {
  for (const auto& [other, engine] : engines_) {
    const auto found = engine.threads.find(tid);
    if (other != id && found != engine.threads.end() && found->second.Holds()) return 1;
  }
  return 0;
}

// By the rule of the contract: a number answers its own slot, and only one that was handed out.
int FakeModule::Release(EngineState& engine, pid_t tid, uint64_t seq) {
  Attachment& attachment = engine.threads.at(tid);
  if (seq == UTRACE_SEQ_LATEST) {
    for (Slot& slot : attachment.slots) {
      if (!slot.handed.empty()) slot.go_seq = std::max(slot.go_seq, *slot.handed.rbegin());
    }
    return 0;
  }
  Slot& slot = attachment.slots[UTRACE_SEQ_SLOT(seq)];
  if (!slot.handed.count(seq)) return -ERANGE;
  slot.go_seq = std::max(slot.go_seq, seq);
  return 0;
}

FakeDevice::FakeDevice(FakeModule* module, pid_t owner, std::string owner_comm)
    : module_(module),
      owner_(owner),
      owner_comm_(std::move(owner_comm)),
      ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) {}

FakeDevice::~FakeDevice() {
  for (auto it = module_->engines_.begin(); it != module_->engines_.end();) {
    it = it->second.session == this ? module_->engines_.erase(it) : std::next(it);
  }
}

void FakeDevice::Push(const utrace_notice& notice) {
  notices_.push_back(notice);
  ::eventfd_write(ready_.Get(), 1);
}

FakeModule::EngineState* FakeDevice::Own(uint64_t id) {
  const auto found = module_->engines_.find(id);
  if (found == module_->engines_.end() || found->second.session != this) return nullptr;
  return &found->second;
}

int FakeDevice::Features(utrace_features& request) {
  request = module_->features;
  request.engines = static_cast<uint32_t>(module_->engines_.size());
  return 0;
}

int FakeDevice::Attach(utrace_attach& request) {
  if (const int error = std::exchange(refuse_attach, 0)) return -error;
  if (request.flags & ~UTRACE_TARGET_FLAGS_ALL || request.events & ~UTRACE_EVENTS_ALL) {
    return -EINVAL;
  }
  pid_t target = request.target;
  if (request.flags & UTRACE_TARGET_PIDFD) {
    if (!pidfds.count(target)) return -EBADF;
    target = pidfds[target];
  }
  FakeModule::EngineState engine;
  engine.session = this;
  engine.cookie = request.cookie;
  engine.flags = request.flags;
  engine.events = request.events;
  const bool group = request.flags & UTRACE_TARGET_GROUP;
  for (const auto& [tid, thread] : module_->threads_) {
    if (group ? thread.tgid == target : tid == target) engine.threads[tid].events = request.events;
  }
  if (engine.threads.empty()) return -ESRCH;
  request.threads = static_cast<uint32_t>(engine.threads.size());
  request.engine = ++module_->last_engine_;
  module_->engines_[request.engine] = std::move(engine);
  return 0;
}

int FakeDevice::SetEvents(utrace_set_events& request) {
  FakeModule::EngineState* engine = Own(request.engine);
  if (!engine) return -ESRCH;
  if (request.events & ~UTRACE_EVENTS_ALL) return -EINVAL;
  if (request.tid == 0) {
    engine->events = request.events;
    for (auto& [tid, attachment] : engine->threads) attachment.events = request.events;
    return 0;
  }
  if (!engine->threads.count(request.tid)) return -ESRCH;
  engine->threads[request.tid].events = request.events;
  return 0;
}

int FakeDevice::SyscallSet(utrace_syscall_set& request) {
  FakeModule::EngineState* engine = Own(request.engine);
  if (!engine) return -ESRCH;
  engine->syscalls.clear();
  for (int nr = 0; nr < UTRACE_SYSCALL_SET_BITS; ++nr) {
    if (request.bits[nr / 64] >> (nr % 64) & 1) engine->syscalls.insert(nr);
  }
  return 0;
}

int FakeDevice::ControlOne(FakeModule::EngineState& engine, uint64_t id, pid_t tid,
                           utrace_control& request) {
  FakeModule::Attachment& attachment = engine.threads.at(tid);
  switch (request.action) {
    case UTRACE_STOP: {
      FakeModule::Slot& slot = attachment.slots[UTRACE_SLOT_ASYNC];
      const bool asleep = module_->Held(tid);
      request.seq = module_->NextSeq(tid, UTRACE_SLOT_ASYNC);
      slot.handed.insert(request.seq);
      slot.stop_seq = request.seq;
      attachment.told_stopped = asleep;
      ++request.affected;
      return asleep ? 0 : -EINPROGRESS;
    }
    case UTRACE_RESUME: {
      const bool held = attachment.Holds();
      if (const int error = module_->Release(engine, tid, request.seq)) return error;
      if (held && !attachment.Holds()) {
        ++request.affected;
        request.held_by_others += module_->HeldByOthers(id, tid);
      }
      if (engine.session != this) {
        const auto& report = attachment.slots[UTRACE_SLOT_REPORT];
        module_->Notify(id, tid, UTRACE_NOTICE_RELEASED, report.Open() ? report.stop_seq : 0,
                        nullptr, 0, 0);
      }
      return 0;
    }
    case UTRACE_INTERRUPT:
      module_->threads_.at(tid).interrupted = true;
      [[fallthrough]];
    case UTRACE_REPORT:
      ++request.affected;
      return 0;
    case UTRACE_DETACH:
      ++request.affected;
      request.held_by_others += module_->HeldByOthers(id, tid);
      if (engine.session != this) {
        module_->Notify(id, tid, UTRACE_NOTICE_GONE, 0, nullptr, 0, UTRACE_GONE_RELEASED);
      }
      engine.threads.erase(tid);
      return 0;
    default:
      return -EINVAL;
  }
}

int FakeDevice::Control(utrace_control& request) {
  const auto found = module_->engines_.find(request.engine);
  if (found == module_->engines_.end()) return -ESRCH;
  FakeModule::EngineState& engine = found->second;
  const bool foreign = request.flags & UTRACE_CONTROL_FOREIGN;
  if (engine.session != this && !foreign) return -ESRCH;
  if (foreign && request.action != UTRACE_RESUME && request.action != UTRACE_DETACH) return -EINVAL;
  if (request.affected != 0 || request.held_by_others != 0) return -EINVAL;
  if (request.tid == 0 && !foreign && request.action == UTRACE_STOP) engine.stop_newborn = true;
  if (request.tid == 0 && !foreign && request.action == UTRACE_RESUME) engine.stop_newborn = false;
  std::vector<pid_t> tids;
  for (const auto& [tid, attachment] : engine.threads) {
    if (request.tid == 0 || request.tid == tid) tids.push_back(tid);
  }
  if (tids.empty()) return -ESRCH;
  int result = 0;
  for (const pid_t tid : tids) {
    const int one = ControlOne(engine, request.engine, tid, request);
    if (one != 0 && one != -EINPROGRESS) return one;
    result = std::min(result, one);
  }
  return result;
}

int FakeDevice::Barrier(utrace_barrier& request) {
  const FakeModule::EngineState* engine = Own(request.engine);
  return engine && engine->threads.count(request.tid) ? 0 : -ESRCH;
}

int FakeDevice::Answer(utrace_answer& request) {
  FakeModule::EngineState* engine = Own(request.engine);
  if (!engine || !engine->threads.count(request.tid)) return -ESRCH;
  const uint32_t action = request.action & UTRACE_RESUME_MASK;
  if (action == UTRACE_STOP || request.flags & ~UTRACE_ANSWER_FLAGS_ALL) return -EINVAL;
  if (const int error = module_->Release(*engine, request.tid, request.seq)) return error;
  if (action == UTRACE_DETACH) engine->threads.erase(request.tid);
  return 0;
}

int FakeDevice::Next(utrace_next& request) {
  if (request.answer) {
    if (const int error = Answer(*reinterpret_cast<utrace_answer*>(request.answer))) return error;
  }
  const int count =
      Read(absl::MakeSpan(reinterpret_cast<utrace_notice*>(request.notices), request.count));
  request.count = static_cast<uint32_t>(std::max(count, 0));
  return std::min(count, 0);
}

int FakeDevice::Read(absl::Span<utrace_notice> notices) {
  size_t count = 0;
  for (; count < notices.size() && !notices_.empty(); ++count) {
    notices[count] = notices_.front();
    notices_.pop_front();
    eventfd_t one;
    ::eventfd_read(ready_.Get(), &one);
  }
  return static_cast<int>(count);
}

int FakeDevice::Examinable(uint64_t id, pid_t tid) {
  FakeModule::EngineState* engine = Own(id);
  if (!engine || !engine->threads.count(tid)) return -ESRCH;
  return engine->threads.at(tid).Holds() ? 0 : -EINVAL;
}

int FakeDevice::Regs(utrace_regs& request) {
  if (const int error = Examinable(request.engine, request.tid)) return error;
  if (request.type != NT_PRSTATUS) return -EINVAL;
  user_regs_struct& registers = module_->threads_.at(request.tid).registers;
  request.len = std::min<uint32_t>(request.len, sizeof(registers));
  void* buffer = reinterpret_cast<void*>(request.buf);
  if (request.flags & UTRACE_EXAMINE_WRITE)
    std::memcpy(&registers, buffer, request.len);
  else
    std::memcpy(buffer, &registers, request.len);
  return 0;
}

int FakeDevice::Memory(utrace_memory& request) {
  if (const int error = Examinable(request.engine, request.tid)) return error;
  auto after = module_->memory_.upper_bound(request.addr);
  if (after == module_->memory_.begin()) return -EFAULT;
  auto& [start, bytes] = *std::prev(after);
  if (request.addr >= start + bytes.size()) return -EFAULT;
  request.len = std::min<uint64_t>(request.len, start + bytes.size() - request.addr);
  char* place = bytes.data() + (request.addr - start);
  void* buffer = reinterpret_cast<void*>(request.buf);
  if (request.flags & UTRACE_EXAMINE_WRITE)
    std::memcpy(place, buffer, request.len);
  else
    std::memcpy(buffer, place, request.len);
  return 0;
}

int FakeDevice::List(utrace_list& request) {
  if (request.entry_size != sizeof(utrace_info)) return -EINVAL;
  auto* entries = reinterpret_cast<utrace_info*>(request.entries);
  uint32_t count = 0;
  for (const auto& [id, engine] : module_->engines_) {
    for (const auto& [tid, attachment] : engine.threads) {
      const pid_t tgid = module_->threads_.at(tid).tgid;
      if (request.tgid != 0 && request.tgid != tgid) continue;
      if (count++ >= request.count) continue;
      utrace_info& info = entries[count - 1];
      info = {};
      info.engine = id;
      info.owner = engine.session->owner_;
      std::strncpy(info.owner_comm, engine.session->owner_comm_.c_str(),
                   sizeof(info.owner_comm) - 1);
      info.tid = tid;
      info.tgid = tgid;
      info.events = attachment.events;
      info.event = attachment.event;
      info.nr = attachment.nr;
      const bool report = attachment.slots[UTRACE_SLOT_REPORT].Open();
      const bool async = attachment.slots[UTRACE_SLOT_ASYNC].Open();
      if (report) info.flags |= UTRACE_INFO_HELD_REPORT | UTRACE_INFO_ASLEEP;
      if (async) info.flags |= UTRACE_INFO_HELD_ASYNC;
      if (async && attachment.told_stopped) info.flags |= UTRACE_INFO_ASLEEP;
      if (report || async) info.since_ns = 1;
      info.seq = attachment.slots[report ? UTRACE_SLOT_REPORT : UTRACE_SLOT_ASYNC].stop_seq;
    }
  }
  request.count = count;
  return 0;
}

}  // namespace utrace
