// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/observer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "include/uapi/utrace_observe.h"
#include "observe_bpf.skel.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/pidfd.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/iterate.h"
#include "userspace/libutrace/bpf/libbpf_log.h"
#include "userspace/libutrace/bpf/privileges.h"
#include "userspace/libutrace/bpf/target.h"
#include "userspace/libutrace/bpf/tracepoints.h"
#include "userspace/libutrace/predicate/compile.h"

namespace utrace {
namespace {

// How long to leave the ring alone after it was emptied. Nobody wakes us (a wake-up costs the
// traced thread many times what the record does), so this is how late an event may be shown. Coming
// more often costs more than it seems: small writes, and cache lines that the writing CPU still
// wants.
constexpr absl::Duration kShortNap = absl::Milliseconds(4);
constexpr absl::Duration kLongNap = absl::Milliseconds(16);
constexpr char kModuleBtf[] = "/sys/kernel/btf/utrace";

constexpr absl::Duration kScanPeriod = absl::Milliseconds(100);

// At most this much at once, so that the kernel gets room back early.
constexpr size_t kPiece = size_t{4} << 20;

// How long after the last thread's exit the module may tell its death, and its reaping.
constexpr absl::Duration kDeathDelay = absl::Milliseconds(200);

// Shared among the CPUs, if nobody says how much each gets; each at least so much.
constexpr size_t kAllRings = size_t{64} << 20;
constexpr size_t kLeastRing = size_t{1} << 20;

// Makes a ring for each CPU there can be, and returns the size of each.
absl::StatusOr<uint32_t> SizeLanes(bpf_map* lanes, size_t ring_bytes) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return FromNegErrno(cpus, "count the CPUs");
  if (ring_bytes == 0) {
    ring_bytes = std::max(std::bit_floor(kAllRings / static_cast<size_t>(cpus)), kLeastRing);
  }
  const size_t bytes = LaneReader::LaneBytes(ring_bytes);
  int error = bpf_map__set_max_entries(lanes, static_cast<uint32_t>(cpus));
  if (!error) error = bpf_map__set_value_size(lanes, static_cast<uint32_t>(bytes));
  if (!error) return static_cast<uint32_t>(ring_bytes);
  return FromNegErrno(error, absl::StrCat("make ", cpus, " rings of ", ring_bytes, " bytes"));
}

// A thread that does nothing but the shortest calls fills a ring in twice this time.
absl::Duration LongNap(size_t ring_bytes) {
  constexpr absl::Duration kShortestCall = absl::Nanoseconds(200);
  constexpr int kShortestFrame = OBSERVE_FRAME_HEAD + offsetof(utrace_rec_syscall, args);
  return std::clamp(kShortestCall * (static_cast<double>(ring_bytes) / kShortestFrame / 2),
                    kShortNap / 4, kLongNap);
}

// An exit may be missing where programs can be skipped (bpf/engines/unpreempted.bpf.h). So many
// scans say that all are gone.
constexpr int kSureScans = 3;

void SetRules(absl::Span<const utrace_copy_rules> from, utrace_copy_rules* to) {
  std::copy_n(from.begin(), std::min<size_t>(from.size(), UTRACE_SYSCALLS), to);
}

// Enough said for who wonders; any of these leaves us the raw tracepoint.
absl::StatusOr<std::unique_ptr<Session>> OpenFeed(bool wanted) {
  if (!wanted) return absl::CancelledError("it was asked for");
  ASSIGN_OR_RETURN(const bool ptrace, HasCapability(CAP_SYS_PTRACE));
  // Else an exec of a setuid program takes the thread out of the module's reach, not of ours.
  if (!ptrace) return ErrnoStatus(EPERM, "trace by the utrace module without CAP_SYS_PTRACE");
  if (::access(kModuleBtf, R_OK) != 0 && ::access(UTRACE_DEVICE, F_OK) == 0) {
    return LastErrno(absl::StrCat("read the utrace module's type information ", kModuleBtf));
  }
  return Session::Open();
}

void ChoosePrograms(observe_bpf* skeleton, bool module) {
  for (bpf_program* program :
       {skeleton->progs.on_utrace_syscall_exit, skeleton->progs.on_utrace_stop,
        skeleton->progs.on_utrace_resume, skeleton->progs.on_utrace_death,
        skeleton->progs.on_utrace_reap, skeleton->progs.on_utrace_jctl}) {
    bpf_program__set_autoload(program, module);
  }
  // Loaded all the same, to go over to it if the module leaves us; that costs nobody anything.
  bpf_program__set_autoattach(skeleton->progs.on_sys_exit, !module);
  skeleton->bss->calls_from_module = module;
}

// Those that make up for skipped ones (bpf/engines/unpreempted.bpf.h).
void LoadSecondPrograms(observe_bpf* skeleton, bool wanted) {
  for (bpf_program* program :
       {skeleton->progs.on_sys_exit_again, skeleton->progs.on_fork_again,
        skeleton->progs.on_exec_again, skeleton->progs.on_exit_again,
        skeleton->progs.on_signal_again, skeleton->progs.on_signal_sent_again}) {
    bpf_program__set_autoload(program, wanted);
    bpf_program__set_autoattach(program, false);
  }
}

absl::Status Attach(bpf_program* program, bpf_link*& link) {
  link = bpf_program__attach(program);
  if (link) return absl::OkStatus();
  return LastErrno(absl::StrCat("attach the observer's BPF program ", bpf_program__name(program)));
}

// After the first ones: programs of one tracepoint run in the order in which they were attached.
absl::Status AttachSecondPrograms(observe_bpf* skeleton, bool module) {
  auto& programs = skeleton->progs;
  auto& links = skeleton->links;
  RETURN_IF_ERROR(Attach(programs.on_fork_again, links.on_fork_again));
  RETURN_IF_ERROR(Attach(programs.on_exec_again, links.on_exec_again));
  RETURN_IF_ERROR(Attach(programs.on_exit_again, links.on_exit_again));
  RETURN_IF_ERROR(Attach(programs.on_signal_again, links.on_signal_again));
  RETURN_IF_ERROR(Attach(programs.on_signal_sent_again, links.on_signal_sent_again));
  if (module) return absl::OkStatus();
  return Attach(programs.on_sys_exit_again, links.on_sys_exit_again);
}

}  // namespace

void Observer::SkeletonDeleter::operator()(observe_bpf* skeleton) const {
  observe_bpf::destroy(skeleton);
}

absl::StatusOr<Observer::Skeleton> Observer::OpenPrograms(const std::vector<bpf_insn>& chosen,
                                                          const LibbpfLog& log) {
  size_t size = 0;
  const auto* const bytes = static_cast<const char*>(observe_bpf::elf_bytes(&size));
  std::string object(bytes, size);
  if (!chosen.empty()) RETURN_IF_ERROR(PutPredicate(chosen, object));
  Skeleton skeleton(static_cast<observe_bpf*>(calloc(1, sizeof(observe_bpf))));
  if (!skeleton) return ErrnoStatus(ENOMEM, "open the observer's BPF object");
  int error = observe_bpf__create_skeleton(skeleton.get());
  if (!error) {
    // Copied by libbpf as it opens it.
    skeleton->skeleton->data = object.data();
    skeleton->skeleton->data_sz = object.size();
    error = bpf_object__open_skeleton(skeleton->skeleton, nullptr);
  }
  if (!error) return skeleton;
  return Annotate(FromNegErrno(error, "open the observer's BPF object"), log.Tail(), "\n");
}

absl::StatusOr<Observer::Skeleton> Observer::LoadPrograms(const ObserverOptions& options,
                                                          bool module) {
  const bool preemptible = TracepointsArePreemptible();
  const LibbpfLog log;
  ASSIGN_OR_RETURN(Skeleton skeleton, OpenPrograms(options.chosen, log));
  skeleton->rodata->chooses = !options.chosen.empty();
  skeleton->rodata->data_limit = std::min<uint32_t>(options.data_limit, UTRACE_PAYLOAD_MAX);
  skeleton->rodata->path_limit = std::min<uint32_t>(options.path_limit, UTRACE_PAYLOAD_MAX);
  skeleton->rodata->preemptible = preemptible;
  SetRules(options.rules_x86_64, skeleton->rodata->rules_64);
  SetRules(options.rules_i386, skeleton->rodata->rules_32);
  ASSIGN_OR_RETURN(skeleton->rodata->lane_bytes,
                   SizeLanes(skeleton->maps.lanes, options.ring_bytes));
  ChoosePrograms(skeleton.get(), module);
  LoadSecondPrograms(skeleton.get(), preemptible);
  if (const int error = observe_bpf::load(skeleton.get())) {
    return Annotate(FromNegErrno(error, "load the observer's BPF programs"), log.Tail(), "\n");
  }
  if (const int error = observe_bpf::attach(skeleton.get())) {
    return Annotate(FromNegErrno(error, "attach the observer's BPF programs"), log.Tail(), "\n");
  }
  if (preemptible) RETURN_IF_ERROR(AttachSecondPrograms(skeleton.get(), module));
  return skeleton;
}

absl::StatusOr<std::unique_ptr<Observer>> Observer::Create(const ObserverOptions& options) {
  RETURN_IF_ERROR(CheckCanObserve());
  absl::StatusOr<std::unique_ptr<Session>> session = OpenFeed(options.use_module);
  absl::StatusOr<Skeleton> skeleton = LoadPrograms(options, session.ok());
  if (session.ok() && !skeleton.ok()) {
    session = skeleton.status();
    skeleton = LoadPrograms(options, false);
  }
  RETURN_IF_ERROR(skeleton.status());
  const auto& maps = (*skeleton)->maps;
  const uint32_t ring_bytes = (*skeleton)->rodata->lane_bytes;
  ASSIGN_OR_RETURN(
      std::unique_ptr<LaneReader> lanes,
      LaneReader::Map(bpf_map__fd(maps.lanes), bpf_map__max_entries(maps.lanes), ring_bytes));
  // Finds our pid namespace, in whose numbers all that follows is told.
  std::vector<char> nothing;
  RETURN_IF_ERROR(RunIterator((*skeleton)->links.scan_attach, nothing));
  absl::Status why_not = session.status();
  return std::unique_ptr<Observer>(new Observer(options, *std::move(skeleton), std::move(lanes),
                                                session.ok() ? *std::move(session) : nullptr,
                                                std::move(why_not)));
}

Observer::Observer(const ObserverOptions& options, Skeleton skeleton,
                   std::unique_ptr<LaneReader> lanes, std::unique_ptr<Session> session,
                   absl::Status why_not)
    : follow_(options.follow),
      skeleton_(std::move(skeleton)),
      lanes_(std::move(lanes)),
      session_(std::move(session)),
      why_not_(std::move(why_not)),
      pending_(PendingMemory(options.rules_x86_64, options.rules_i386, options.path_limit,
                             options.data_limit)),
      long_nap_(LongNap(skeleton_->rodata->lane_bytes)),
      nap_(std::min(kShortNap, long_nap_)) {}

Observer::~Observer() = default;

absl::Status Observer::AddProcess(pid_t pid) { return Add(pid, 0); }

absl::Status Observer::AddProcessAtExec(pid_t pid) { return Add(pid, OBSERVE_UNTIL_EXEC); }

absl::Status Observer::Add(pid_t pid, uint32_t flags) {
  ASSIGN_OR_RETURN(const UniqueFd pidfd, OpenTarget(pid));
  RETURN_IF_ERROR(AttachEngine(pidfd, pid));
  observe_home fresh{};
  fresh.thread.flags = flags | (follow_ ? OBSERVE_FOLLOW : 0);
  fresh.thread.tgid = fresh.thread.tid = static_cast<uint32_t>(pid);
  const int key = pidfd.Get();
  if (const int error =
          bpf_map_update_elem(bpf_map__fd(skeleton_->maps.threads), &key, &fresh, BPF_NOEXIST)) {
    // Followed there from another target already.
    if (error == -EEXIST) return absl::OkStatus();
    return FromNegErrno(error, absl::StrCat("trace process ", pid));
  }
  has_targets_ = true;
  std::vector<char> nothing;
  const uint64_t before = LiveThreads();
  RETURN_IF_ERROR(RunIterator(skeleton_->links.scan_attach, nothing));
  if (LiveThreads() == 0 && before == 0) {
    ASSIGN_OR_RETURN(const bool ended, WaitForExit(pidfd, absl::ZeroDuration()));
    if (ended) return ErrnoStatus(ESRCH, absl::StrCat("trace process ", pid, ", which has ended"));
  }
  if (!flags) newly_attached_ = true;
  return absl::OkStatus();
}

// Before the first record of the process: a child born in between would have an engine and no
// records, as one born before; the other way round it would have records and no calls.
absl::Status Observer::AttachEngine(const UniqueFd& pidfd, pid_t pid) {
  if (!session_) return absl::OkStatus();
  const AttachTarget target =
      follow_ ? AttachTarget::ProcessAndChildren(pidfd, pid) : AttachTarget::Process(pidfd, pid);
  const absl::StatusOr<Engine> engine =
      session_->Attach(target.ForTracepoints(), UTRACE_EVENT(SYSCALL_EXIT) | UTRACE_EVENT(REAP));
  if (engine.ok() || ErrnoOf(engine.status()) == ESRCH) return absl::OkStatus();
  return LeaveModule(engine.status());
}

absl::Status Observer::LeaveModule(absl::Status why) {
  why_not_ = std::move(why);
  skeleton_->bss->calls_from_module = false;
  for (bpf_link** link :
       {&skeleton_->links.on_utrace_syscall_exit, &skeleton_->links.on_utrace_stop,
        &skeleton_->links.on_utrace_resume, &skeleton_->links.on_utrace_death,
        &skeleton_->links.on_utrace_reap, &skeleton_->links.on_utrace_jctl}) {
    bpf_link__destroy(std::exchange(*link, nullptr));
  }
  session_.reset();
  RETURN_IF_ERROR(Attach(skeleton_->progs.on_sys_exit, skeleton_->links.on_sys_exit));
  if (!skeleton_->rodata->preemptible) return absl::OkStatus();
  return Attach(skeleton_->progs.on_sys_exit_again, skeleton_->links.on_sys_exit_again);
}

void Observer::Detach() {
  observe_bpf::detach(skeleton_.get());
  session_.reset();
  detached_ = true;
}

// Before the ring is looked at: the last thread's last record is there before it is counted out.
bool Observer::NothingMoreComes() {
  if (detached_) return true;
  if (!has_targets_ || (LiveThreads() != 0 && scans_in_vain_ < kSureScans)) {
    no_threads_since_ = absl::InfiniteFuture();
    return false;
  }
  // The module tells deaths a little after their exits, and reapings when parents wait, if they do;
  // it may have been made to leave meanwhile.
  if (!session_ || (__atomic_load_n(&skeleton_->bss->deaths_due, __ATOMIC_ACQUIRE) == 0 &&
                    __atomic_load_n(&skeleton_->bss->reaps_due, __ATOMIC_ACQUIRE) == 0)) {
    return true;
  }
  const absl::Time now = absl::Now();
  no_threads_since_ = std::min(no_threads_since_, now);
  return now - no_threads_since_ > kDeathDelay;
}

absl::Status Observer::Read(absl::Duration timeout, Sink sink) {
  if (at_end_) return absl::OkStatus();
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const absl::Duration rest = next_look_ - absl::Now();
    if (rest > absl::ZeroDuration()) {
      const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
      const timespec nap = absl::ToTimespec(std::min(rest, left));
      // A signal is the caller's business: back to it at once.
      if (::nanosleep(&nap, nullptr) != 0 || left < rest) return absl::OkStatus();
    }
    const bool last = NothingMoreComes();
    size_t got = 0;
    RETURN_IF_ERROR(ScanPending(sink, got));
    RETURN_IF_ERROR(ReadLanes(sink, got));
    if (got == 0 && last) {
      at_end_ = true;
      return absl::OkStatus();
    }
    // Nothing more will come, or more than can be taken at once came: no rest.
    if (!last && got < kPiece) {
      nap_ = got ? std::min(kShortNap, long_nap_) : std::min(nap_ * 2, long_nap_);
      next_look_ = absl::Now() + nap_;
    }
    if (got) return absl::OkStatus();
  }
}

absl::Status Observer::ReadLanes(Sink sink, size_t& got) {
  const Bytes frames = lanes_->Peek(kPiece);
  if (frames.empty()) return absl::OkStatus();
  got += frames.size();
  const absl::Status status = sink(frames);
  lanes_->Consume();
  return status;
}

absl::Status Observer::ScanPending(Sink sink, size_t& got) {
  if (detached_ || !has_targets_) return absl::OkStatus();
  const absl::Time now = absl::Now();
  if (now < next_scan_ && !newly_attached_) return absl::OkStatus();
  next_scan_ = now + kScanPeriod;
  frames_.clear();
  skeleton_->bss->seen_threads = 0;
  RETURN_IF_ERROR(pending_.Scan(skeleton_->links.scan_pending, newly_attached_, frames_));
  newly_attached_ = false;
  const bool in_vain = skeleton_->bss->seen_threads == 0 && LiveThreads() != 0;
  scans_in_vain_ = in_vain ? scans_in_vain_ + 1 : 0;
  if (session_ && __atomic_load_n(&skeleton_->bss->unheard_threads, __ATOMIC_RELAXED) != 0) {
    RETURN_IF_ERROR(LeaveModule(absl::UnavailableError(
        "the engine of this trace was detached from a thread, or could not join a new one")));
  }
  if (frames_.empty()) return absl::OkStatus();
  got += frames_.size();
  return sink(Bytes(reinterpret_cast<const std::byte*>(frames_.data()), frames_.size()));
}

absl::StatusOr<uint64_t> Observer::Dropped() const {
  return lanes_->Dropped() + (scans_in_vain_ < kSureScans ? 0 : LiveThreads());
}

uint64_t Observer::LiveThreads() const {
  return __atomic_load_n(&skeleton_->bss->live_threads, __ATOMIC_ACQUIRE);
}

}  // namespace utrace
