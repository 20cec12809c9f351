// SPDX-License-Identifier: Apache-2.0
// Recordings: a header, then chunks of frames (frames.h) as they came out of the rings, each
// with a checksum, then an end chunk with the totals. Each chunk goes out in one write as soon as
// it is there, so whatever ends the recorder, the file up to then can be read.
#ifndef UTRACE_LIBUTRACE_RECORD_FILE_H_
#define UTRACE_LIBUTRACE_RECORD_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/record_source.h"

namespace utrace {

// What was recorded where. Names are free, so that readers need not know all of them.
struct RecordingInfo {
  std::vector<std::pair<std::string, std::string>> fields;

  // Empty if there is none of that name.
  std::string Get(absl::string_view name) const;
};

// Of this machine, now: kernel, machine, host, boot_id, monotonic_ns and realtime_ns (the same
// moment by both clocks).
RecordingInfo DescribeThisMachine();

class RecordWriter {
 public:
  // Creates or empties `path`, readable by its owner only: it holds what programs read and wrote.
  static absl::StatusOr<std::unique_ptr<RecordWriter>> Create(const std::string& path,
                                                              const RecordingInfo& info);

  // After an error the file ends with the last whole chunk, and nothing more can be written.
  absl::Status Append(Bytes frames);

  // Writes the totals and closes.
  absl::Status Finish(uint64_t dropped);

  uint64_t Records() const { return records_; }

 private:
  RecordWriter(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  absl::Status WriteChunk(uint32_t kind, Bytes data);
  absl::Status WriteAll(Bytes head, Bytes data);

  std::string path_;
  UniqueFd fd_;
  uint64_t written_ = 0;  // whole chunks only
  uint64_t records_ = 0;
};

class RecordReader : public RecordSource {
 public:
  static absl::StatusOr<std::unique_ptr<RecordReader>> Open(const std::string& path);

  absl::Status Read(absl::Duration timeout, Sink sink) override;
  bool AtEnd() const override { return at_end_; }
  absl::StatusOr<uint64_t> Dropped() const override { return dropped_.value_or(0); }

  const RecordingInfo& Info() const { return info_; }

  // At the end: whether the recorder finished its file. If not it was killed, or its disk was full,
  // and how much was dropped is not known.
  bool Complete() const { return dropped_.has_value(); }

 private:
  RecordReader(std::string path, UniqueFd fd, uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  absl::Status ReadHeader();
  absl::StatusOr<bool> Get(void* into, size_t n);
  absl::Status Damaged(absl::string_view what) const;

  std::string path_;
  UniqueFd fd_;
  uint64_t size_;
  uint64_t at_ = 0;
  RecordingInfo info_;
  std::vector<std::byte> chunk_;
  std::optional<uint64_t> dropped_;
  bool at_end_ = false;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_RECORD_FILE_H_
