// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/session.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/char_device.h"
#include "userspace/libutrace/machine.h"

namespace utrace {
namespace {

constexpr size_t kNoticesAtOnce = 64;

int Milliseconds(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return -1;
  const int64_t ms = absl::ToInt64Milliseconds(std::max(timeout, absl::ZeroDuration()));
  return static_cast<int>(std::min<int64_t>(ms, std::numeric_limits<int>::max()));
}

absl::Status OtherContract(absl::string_view module) {
  return ErrnoStatus(
      EPROTO, "speak to the utrace module",
      absl::StrCat(module, ", this tool is version ", UTRACE_VERSION, " and speaks contract ",
                   UTRACE_ABI_VERSION, "; take both from one build: sudo rmmod utrace, then ",
                   HowToLoadModule()));
}

// A notice of another size cannot be told apart from its neighbour's bytes.
absl::Status CheckSizes(absl::Span<const utrace_notice> notices) {
  for (const utrace_notice& notice : notices) {
    if (notice.size != sizeof(utrace_notice)) {
      return OtherContract(
          absl::StrCat("its notices have ", notice.size, " bytes, ours ", sizeof(utrace_notice)));
    }
  }
  return absl::OkStatus();
}

// Room for a batch.  On the stack and as it comes: to clear it would cost more than the call.
struct Batch {
  utrace_notice notices[kNoticesAtOnce];

  absl::StatusOr<std::vector<utrace_notice>> First(size_t count) const {
    const absl::Span<const utrace_notice> told(notices, count);
    RETURN_IF_ERROR(CheckSizes(told));
    return std::vector<utrace_notice>(told.begin(), told.end());
  }
};

}  // namespace

AttachTarget AttachTarget::Thread(pid_t tid) {
  return AttachTarget(tid, 0, absl::StrCat("thread ", tid));
}

AttachTarget AttachTarget::Process(const UniqueFd& pidfd, pid_t pid) {
  return AttachTarget(pidfd.Get(), UTRACE_TARGET_PIDFD | UTRACE_TARGET_GROUP,
                      absl::StrCat("process ", pid));
}

AttachTarget AttachTarget::ProcessAndChildren(const UniqueFd& pidfd, pid_t pid) {
  return AttachTarget(pidfd.Get(),
                      UTRACE_TARGET_PIDFD | UTRACE_TARGET_GROUP | UTRACE_TARGET_CHILDREN,
                      absl::StrCat("process ", pid, " and its children"));
}

AttachTarget AttachTarget::ForTracepoints() const {
  return AttachTarget(value_, flags_ | UTRACE_TARGET_TRACE, name_);
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(std::unique_ptr<Device> device) {
  std::unique_ptr<Session> session(new Session(std::move(device)));
  ASSIGN_OR_RETURN(const utrace_features features, session->Features());
  if (features.abi != UTRACE_ABI_VERSION) {
    return OtherContract(
        absl::StrCat("it is version ", features.version, " and speaks contract ", features.abi));
  }
  return session;
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open() {
  ASSIGN_OR_RETURN(std::unique_ptr<CharDevice> device, CharDevice::Open());
  return Open(std::move(device));
}

absl::StatusOr<std::unique_ptr<Session>> Session::OpenToLook() {
  ASSIGN_OR_RETURN(std::unique_ptr<CharDevice> device, CharDevice::Open(CharDevice::Access::kLook));
  return Open(std::move(device));
}

absl::StatusOr<utrace_features> Session::Features() {
  auto features = Sized<utrace_features>();
  const int result = device_->Features(features);
  if (result == -ENOTTY) return OtherContract("it knows no query of its features");
  RETURN_IF_ERROR(FromNegErrno(result, "ask the utrace module for its features"));
  // Of a module gone wrong we print at most what fits.
  features.version[sizeof(features.version) - 1] = '\0';
  features.hook_names[sizeof(features.hook_names) - 1] = '\0';
  return features;
}

absl::StatusOr<Engine> Session::Attach(const AttachTarget& target, uint32_t events,
                                       uint64_t cookie) {
  auto request = Sized<utrace_attach>();
  request.flags = target.Flags() | attach_flags_;
  request.target = target.Value();
  request.events = events;
  request.cookie = cookie;
  RETURN_IF_ERROR(
      FromNegErrno(device_->Attach(request), absl::StrCat("attach to ", target.Name())));
  return Engine(device_.get(), request.engine, request.threads, /*foreign=*/false);
}

Engine Session::Foreign(uint64_t id) { return Engine(device_.get(), id, 0, /*foreign=*/true); }

absl::StatusOr<std::vector<utrace_notice>> Session::Read() {
  Batch batch;
  const int count = device_->Read(batch.notices);
  if (count < 0) return ErrnoStatus(-count, "read notices of the utrace module");
  return batch.First(static_cast<size_t>(count));
}

absl::StatusOr<std::vector<utrace_notice>> Session::Next(utrace_answer* answer,
                                                         absl::Duration timeout) {
  Batch batch;
  auto request = Sized<utrace_next>();
  request.answer = reinterpret_cast<uintptr_t>(answer);
  request.notices = reinterpret_cast<uintptr_t>(batch.notices);
  request.count = kNoticesAtOnce;
  request.notice_size = sizeof(utrace_notice);
  request.timeout_ms = Milliseconds(timeout);
  RETURN_IF_ERROR(FromNegErrno(device_->Next(request), "wait for notices of the utrace module"));
  return batch.First(request.count);
}

absl::StatusOr<std::vector<utrace_info>> Session::List(pid_t tgid) {
  std::vector<utrace_info> entries(64);
  for (;;) {
    auto request = Sized<utrace_list>();
    request.entries = reinterpret_cast<uintptr_t>(entries.data());
    request.count = static_cast<uint32_t>(entries.size());
    request.tgid = tgid;
    request.entry_size = sizeof(utrace_info);
    RETURN_IF_ERROR(FromNegErrno(device_->List(request), "list the engines of the utrace module"));
    if (request.count <= entries.size()) {
      entries.resize(request.count);
      return entries;
    }
    // More may be made before we ask again.
    entries.resize(request.count + request.count / 4);
  }
}

}  // namespace utrace
