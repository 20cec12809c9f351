// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/pending_memory.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace utrace {
namespace {

constexpr uint64_t kPage = 4096;
// More elements than any limit lets through; keeps the product from wrapping.
constexpr uint64_t kMostElements = uint64_t{1} << 20;

// Up to `want` bytes, fewer if the memory ends before: what is read at once may end at a page only.
std::string ReadMemory(pid_t tid, uint64_t address, size_t want) {
  std::string bytes(want, '\0');
  std::vector<iovec> pages;
  for (size_t at = 0; at < want;) {
    const size_t piece = std::min<uint64_t>(want - at, kPage - (address + at) % kPage);
    pages.push_back({reinterpret_cast<void*>(address + at), piece});
    at += piece;
  }
  const iovec local{bytes.data(), want};
  const ssize_t n = ::process_vm_readv(tid, &local, 1, pages.data(), pages.size(), 0);
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

void Append(const utrace_copy_rule& rule, uint16_t flags, const std::string& bytes,
            std::string& record) {
  const utrace_rec_payload head{rule.arg, rule.kind, flags, static_cast<uint32_t>(bytes.size())};
  record.append(reinterpret_cast<const char*>(&head), sizeof(head));
  record.append(bytes);
  record.resize((record.size() + 7) & ~size_t{7});
}

// Whether the thread still waits in this very call, as far as numbers can tell.
bool IsStillIn(const utrace_rec_syscall& call) {
  std::ifstream file(absl::StrCat("/proc/", call.head.tid, "/syscall"));
  std::string line;
  std::getline(file, line);
  std::string expected = absl::StrCat(call.nr);
  for (const uint64_t arg : call.args) absl::StrAppendFormat(&expected, " 0x%x", arg);
  return line.compare(0, expected.size() + 1, expected + " ") == 0;
}

}  // namespace

PendingMemory::PendingMemory(absl::Span<const utrace_copy_rules> rules_x86_64,
                             absl::Span<const utrace_copy_rules> rules_i386, uint32_t path_limit,
                             uint32_t data_limit)
    : rules_x86_64_(rules_x86_64.begin(), rules_x86_64.end()),
      rules_i386_(rules_i386.begin(), rules_i386.end()),
      path_limit_(std::min<uint32_t>(path_limit, UTRACE_PAYLOAD_MAX)),
      data_limit_(std::min<uint32_t>(data_limit, UTRACE_PAYLOAD_MAX)) {}

std::string PendingMemory::WithPayloads(const utrace_rec_syscall& call) const {
  const std::string bare(reinterpret_cast<const char*>(&call), sizeof(call));
  const auto& rules = call.abi == UTRACE_ABI_I386 ? rules_i386_ : rules_x86_64_;
  if (call.nr < 0 || static_cast<size_t>(call.nr) >= rules.size()) return bare;
  std::string record = bare;
  uint16_t payloads = 0;
  for (const utrace_copy_rule& rule : rules[static_cast<size_t>(call.nr)].rule) {
    const size_t before = record.size();
    AppendPayload(call, rule, record);
    payloads += record.size() != before;
  }
  if (payloads == 0 || !IsStillIn(call)) return bare;
  utrace_rec_head head = call.head;
  head.len = static_cast<uint32_t>(record.size());
  head.payloads = payloads;
  std::memcpy(record.data(), &head, sizeof(head));
  return record;
}

// As copy_argument() in payload.bpf.h. A call that execs is never long, so vectors of strings do
// not come up.
void PendingMemory::AppendPayload(const utrace_rec_syscall& call, const utrace_copy_rule& rule,
                                  std::string& record) const {
  const auto tid = static_cast<pid_t>(call.head.tid);
  if (rule.arg >= 6 || rule.len_arg >= 6 || rule.flags & UTRACE_COPY_F_RESULT) return;
  const uint64_t source = call.args[rule.arg];
  if (source == 0) return;
  if (rule.kind == UTRACE_COPY_STRING) {
    std::string text = ReadMemory(tid, source, path_limit_ + 1);
    const size_t end = text.find('\0');
    // Neither its end nor more than is shown: it runs into memory that is not there.
    if (end == std::string::npos && text.size() <= path_limit_) return;
    text.resize(std::min<size_t>(end, path_limit_));
    Append(rule, end == std::string::npos ? UTRACE_PAYLOAD_TRUNCATED : 0, text, record);
    return;
  }
  if (rule.kind != UTRACE_COPY_BYTES) return;
  uint64_t want = 1;
  if (rule.len_from == UTRACE_LEN_ARG) {
    want = call.args[rule.len_arg];
  } else if (rule.len_from == UTRACE_LEN_AT) {
    const std::string count = ReadMemory(tid, call.args[rule.len_arg], sizeof(uint32_t));
    uint32_t number = 0;
    if (count.size() != sizeof(number)) return;
    std::memcpy(&number, count.data(), sizeof(number));
    want = number;
  } else if (rule.len_from != UTRACE_LEN_FIXED) {
    return;
  }
  want = std::min(want, kMostElements) * rule.size;
  const uint64_t limit = rule.flags & UTRACE_COPY_F_WHOLE ? UTRACE_PAYLOAD_MAX : data_limit_;
  const uint64_t length = std::min(want, limit);
  const std::string bytes = ReadMemory(tid, source, length);
  if (bytes.size() != length) return;
  Append(rule, want > limit ? UTRACE_PAYLOAD_TRUNCATED : 0, bytes, record);
}

}  // namespace utrace
