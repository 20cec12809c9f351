// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/checksum.h"

namespace utrace {
namespace {

// The first byte is no text and no ASCII, so that the file is taken for neither.
constexpr char kMagic[8] = {'\x89', 'U', 'T', 'R', 'A', 'C', 'E', '\n'};
constexpr uint32_t kVersion = 1;
constexpr uint32_t kChunkMagic = 0x4b484355;  // "UCHK"
constexpr uint32_t kFrames = 1;
constexpr uint32_t kEnd = 2;
constexpr uint32_t kMaxHeader = 1 << 20;
constexpr uint64_t kMaxChunk = uint64_t{1} << 30;

struct FileHead {
  char magic[8];
  uint32_t version;
  uint32_t fields_bytes;  // of the fields that follow
  uint32_t checksum;      // of the fields
  uint32_t reserved;
};
static_assert(sizeof(FileHead) == 24);

struct ChunkHead {
  uint32_t magic;
  uint32_t kind;
  uint64_t bytes;
  uint32_t data_checksum;
  uint32_t head_checksum;  // of the four above
};
static_assert(sizeof(ChunkHead) == 24);

struct EndChunk {
  uint64_t records;
  uint64_t dropped;
};

template <typename T>
Bytes BytesOf(const T& value, size_t n = sizeof(T)) {
  return Bytes(reinterpret_cast<const std::byte*>(&value), n);
}

uint32_t HeadChecksum(const ChunkHead& head) {
  return Checksum(BytesOf(head, offsetof(ChunkHead, head_checksum)));
}

void PutString(absl::string_view text, std::string& out) {
  const uint32_t len = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&len), sizeof(len));
  out.append(text.data(), text.size());
}

std::optional<std::string> TakeString(absl::string_view& in) {
  uint32_t len = 0;
  if (in.size() < sizeof(len)) return std::nullopt;
  std::memcpy(&len, in.data(), sizeof(len));
  in.remove_prefix(sizeof(len));
  if (len > in.size()) return std::nullopt;
  std::string text(in.substr(0, len));
  in.remove_prefix(len);
  return text;
}

std::string NowNs(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return absl::StrCat(now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec);
}

}  // namespace

std::string RecordingInfo::Get(absl::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "";
}

RecordingInfo DescribeThisMachine() {
  RecordingInfo info;
  utsname name{};
  ::uname(&name);
  std::string boot_id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot_id;
  info.fields = {{"kernel", name.release},
                 {"machine", name.machine},
                 {"host", name.nodename},
                 {"boot_id", boot_id},
                 {"monotonic_ns", NowNs(CLOCK_MONOTONIC)},
                 {"realtime_ns", NowNs(CLOCK_REALTIME)}};
  return info;
}

absl::StatusOr<std::unique_ptr<RecordWriter>> RecordWriter::Create(const std::string& path,
                                                                   const RecordingInfo& info) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return LastErrno(absl::StrCat("create ", path));
  std::string fields;
  for (const auto& [key, value] : info.fields) {
    PutString(key, fields);
    PutString(value, fields);
  }
  if (fields.size() > kMaxHeader) {
    return absl::InvalidArgumentError("the description of a recording is longer than 1 MiB");
  }
  FileHead head{};
  std::memcpy(head.magic, kMagic, sizeof(kMagic));
  head.version = kVersion;
  head.fields_bytes = static_cast<uint32_t>(fields.size());
  const Bytes data(reinterpret_cast<const std::byte*>(fields.data()), fields.size());
  head.checksum = Checksum(data);
  std::unique_ptr<RecordWriter> writer(new RecordWriter(path, std::move(fd)));
  RETURN_IF_ERROR(writer->WriteAll(BytesOf(head), data));
  return writer;
}

absl::Status RecordWriter::Append(Bytes frames) {
  if (frames.empty()) return absl::OkStatus();
  uint64_t records = 0;
  RETURN_IF_ERROR(ForEachRecord(frames, [&](Bytes) {
    ++records;
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(WriteChunk(kFrames, frames));
  records_ += records;
  return absl::OkStatus();
}

absl::Status RecordWriter::Finish(uint64_t dropped) {
  const EndChunk end{records_, dropped};
  RETURN_IF_ERROR(WriteChunk(kEnd, BytesOf(end)));
  if (::close(fd_.Release()) != 0) return LastErrno(absl::StrCat("close ", path_));
  return absl::OkStatus();
}

absl::Status RecordWriter::WriteChunk(uint32_t kind, Bytes data) {
  ChunkHead head{};
  head.magic = kChunkMagic;
  head.kind = kind;
  head.bytes = data.size();
  head.data_checksum = Checksum(data);
  head.head_checksum = HeadChecksum(head);
  return WriteAll(BytesOf(head), data);
}

absl::Status RecordWriter::WriteAll(Bytes head, Bytes data) {
  if (!fd_) return absl::FailedPreconditionError(absl::StrCat("write ", path_, ": it is closed"));
  const uint64_t total = head.size() + data.size();
  for (uint64_t done = 0; done < total;) {
    const Bytes head_left = head.subspan(std::min<uint64_t>(done, head.size()));
    const Bytes data_left = data.subspan(done > head.size() ? done - head.size() : 0);
    const iovec parts[2] = {{const_cast<std::byte*>(head_left.data()), head_left.size()},
                            {const_cast<std::byte*>(data_left.data()), data_left.size()}};
    const ssize_t n = ::writev(fd_.Get(), parts, 2);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      absl::Status status = LastErrno(absl::StrCat("write ", path_));
      // Take back the part of a chunk. A pipe cannot, and its reader finds the end by itself.
      if (::ftruncate(fd_.Get(), static_cast<off_t>(written_)) == 0) {
        status = Annotate(status, absl::StrCat("; what was recorded before is readable"), "");
      }
      fd_.Reset();
      return status;
    }
    done += static_cast<uint64_t>(n);
  }
  written_ += total;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordReader>> RecordReader::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return LastErrno(absl::StrCat("open ", path));
  struct stat status {};
  if (::fstat(fd.Get(), &status) != 0) return LastErrno(absl::StrCat("stat ", path));
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("read ", path, ": it is not a regular file"));
  }
  std::unique_ptr<RecordReader> reader(
      new RecordReader(path, std::move(fd), static_cast<uint64_t>(status.st_size)));
  RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

// False if the file ends before `n` bytes more.
absl::StatusOr<bool> RecordReader::Get(void* into, size_t n) {
  size_t done = 0;
  while (done < n) {
    const ssize_t got = ::read(fd_.Get(), static_cast<char*>(into) + done, n - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return LastErrno(absl::StrCat("read ", path_));
    if (got == 0) return false;
    done += static_cast<size_t>(got);
  }
  at_ += n;
  return true;
}

absl::Status RecordReader::Damaged(absl::string_view what) const {
  return absl::DataLossError(absl::StrCat("read ", path_, ": damaged at byte ", at_, ": ", what,
                                          "; record it again or read a copy that is whole"));
}

absl::Status RecordReader::ReadHeader() {
  FileHead head;
  ASSIGN_OR_RETURN(const bool whole, Get(&head, sizeof(head)));
  if (!whole || std::memcmp(head.magic, kMagic, sizeof(kMagic)) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("read ", path_, ": not a recording made by `utracectl record -o`"));
  }
  if (head.version != kVersion) {
    return absl::UnimplementedError(absl::StrCat("read ", path_, ": recorded in format ",
                                                 head.version, ", and this utracectl reads format ",
                                                 kVersion, "; use the version that recorded it"));
  }
  if (head.fields_bytes > kMaxHeader) return Damaged("its description has no sensible length");
  std::string fields(head.fields_bytes, '\0');
  ASSIGN_OR_RETURN(const bool has_fields, Get(fields.data(), fields.size()));
  if (!has_fields) return Damaged("it ends within its description");
  if (Checksum(Bytes(reinterpret_cast<const std::byte*>(fields.data()), fields.size())) !=
      head.checksum) {
    return Damaged("its description does not fit its checksum");
  }
  for (absl::string_view rest = fields; !rest.empty();) {
    std::optional<std::string> key = TakeString(rest);
    std::optional<std::string> value = TakeString(rest);
    if (!key || !value) return Damaged("a field of its description is cut short");
    info_.fields.emplace_back(*std::move(key), *std::move(value));
  }
  return absl::OkStatus();
}

absl::Status RecordReader::Read(absl::Duration, Sink sink) {
  if (at_end_) return absl::OkStatus();
  ChunkHead head;
  ASSIGN_OR_RETURN(const bool has_head, Get(&head, sizeof(head)));
  // Cut short, as by a recorder that was killed: what was whole has been given.
  if (!has_head || (head.magic == kChunkMagic && head.head_checksum == HeadChecksum(head) &&
                    head.bytes > size_ - at_)) {
    at_end_ = true;
    return absl::OkStatus();
  }
  if (head.magic != kChunkMagic || head.head_checksum != HeadChecksum(head) ||
      head.bytes > kMaxChunk) {
    return Damaged("there is no chunk where one must begin");
  }
  chunk_.resize(head.bytes);
  ASSIGN_OR_RETURN(const bool has_data, Get(chunk_.data(), chunk_.size()));
  if (!has_data || Checksum(chunk_) != head.data_checksum) {
    return Damaged("a chunk does not fit its checksum");
  }
  if (head.kind == kFrames) return sink(chunk_);
  if (head.kind == kEnd && chunk_.size() >= sizeof(EndChunk)) {
    EndChunk end;
    std::memcpy(&end, chunk_.data(), sizeof(end));
    dropped_ = end.dropped;
    at_end_ = true;
  }
  return absl::OkStatus();
}

}  // namespace utrace
