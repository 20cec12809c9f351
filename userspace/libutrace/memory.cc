// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/memory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace {
namespace {

// Reads of a string end with a page, so that one that ends before a hole is found whole.
constexpr uint64_t kPage = 4096;

std::string What(bool write, size_t length, pid_t tid, uint64_t address) {
  return absl::StrCat(write ? "write " : "read ", length, " bytes of thread ", tid, " at 0x",
                      absl::Hex(address));
}

}  // namespace

absl::StatusOr<size_t> Memory::Transfer(uint64_t address, void* buffer, size_t length,
                                        uint32_t flags) const {
  auto request = Sized<utrace_memory>();
  request.flags = flags;
  request.engine = engine_.Id();
  request.tid = tid_;
  request.addr = address;
  request.buf = reinterpret_cast<uintptr_t>(buffer);
  request.len = length;
  RETURN_IF_ERROR(FromNegErrno(engine_.device()->Memory(request),
                               What(flags & UTRACE_EXAMINE_WRITE, length, tid_, address)));
  if (request.len == 0 && length > 0) {
    return ErrnoStatus(EFAULT, What(flags & UTRACE_EXAMINE_WRITE, length, tid_, address));
  }
  return static_cast<size_t>(request.len);
}

absl::StatusOr<size_t> Memory::Read(uint64_t address, absl::Span<std::byte> bytes) const {
  return Transfer(address, bytes.data(), bytes.size(), 0);
}

absl::StatusOr<size_t> Memory::Write(uint64_t address, absl::Span<const std::byte> bytes) const {
  // The module only reads it.
  return Transfer(address, const_cast<std::byte*>(bytes.data()), bytes.size(),
                  UTRACE_EXAMINE_WRITE);
}

absl::Status Memory::ReadAll(uint64_t address, absl::Span<std::byte> bytes) const {
  ASSIGN_OR_RETURN(const size_t done, Read(address, bytes));
  if (done == bytes.size()) return absl::OkStatus();
  return ErrnoStatus(
      EFAULT, absl::StrCat(What(false, bytes.size(), tid_, address), ": short, ", done, " done"));
}

absl::Status Memory::WriteAll(uint64_t address, absl::Span<const std::byte> bytes) const {
  ASSIGN_OR_RETURN(const size_t done, Write(address, bytes));
  if (done == bytes.size()) return absl::OkStatus();
  return ErrnoStatus(
      EFAULT, absl::StrCat(What(true, bytes.size(), tid_, address), ": short, ", done, " done"));
}

absl::StatusOr<std::string> Memory::ReadString(uint64_t address, size_t limit) const {
  std::string text;
  std::array<std::byte, kPage> buffer;
  while (text.size() < limit) {
    const uint64_t at = address + text.size();
    const size_t to_page_end = kPage - at % kPage;
    const size_t want = std::min(limit - text.size(), to_page_end);
    ASSIGN_OR_RETURN(const size_t done, Read(at, absl::MakeSpan(buffer.data(), want)));
    const char* chars = reinterpret_cast<const char*>(buffer.data());
    const size_t length = ::strnlen(chars, done);
    text.append(chars, length);
    if (length < done) break;
  }
  return text;
}

}  // namespace utrace
