// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/record_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/checksum.h"

namespace utrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Bytes AsBytes(const std::string& text) {
  return Bytes(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

std::string Frames(const std::vector<std::string>& records) {
  std::string frames;
  for (const std::string& record : records) AppendFrame(AsBytes(record), frames);
  return frames;
}

class RecordFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/utrace-recording-XXXXXX";
    UniqueFd fd(::mkstemp(name.data()));
    ASSERT_TRUE(fd);
    path_ = name;
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::unique_ptr<RecordWriter> Create() {
    RecordingInfo info;
    info.fields = {{"kernel", "6.12"}, {"argv", "ls -l"}};
    absl::StatusOr<std::unique_ptr<RecordWriter>> writer = RecordWriter::Create(path_, info);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }

  // A recording of two chunks, finished.
  void WriteSample() {
    auto writer = Create();
    ASSERT_TRUE(writer->Append(AsBytes(Frames({"first", "second record"}))).ok());
    ASSERT_TRUE(writer->Append(AsBytes(Frames({"third"}))).ok());
    EXPECT_EQ(writer->Records(), 3u);
    ASSERT_TRUE(writer->Finish(5).ok());
  }

  // All records up to the end or the error.
  absl::Status ReadAll() {
    records_.clear();
    absl::StatusOr<std::unique_ptr<RecordReader>> reader = RecordReader::Open(path_);
    if (!reader.ok()) return reader.status();
    reader_ = *std::move(reader);
    while (!reader_->AtEnd()) {
      const absl::Status status = reader_->Read(absl::ZeroDuration(), [&](Bytes frames) {
        return ForEachRecord(frames, [&](Bytes record) {
          records_.emplace_back(reinterpret_cast<const char*>(record.data()), record.size());
          return absl::OkStatus();
        });
      });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  void FlipByte(std::streamoff at) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(at);
    file.put(byte);
  }

  std::string path_;
  std::unique_ptr<RecordReader> reader_;
  std::vector<std::string> records_;
};

TEST_F(RecordFileTest, WhatIsWrittenIsRead) {
  WriteSample();
  ASSERT_TRUE(ReadAll().ok());
  EXPECT_THAT(records_, ElementsAre("first", "second record", "third"));
  EXPECT_TRUE(reader_->Complete());
  EXPECT_EQ(*reader_->Dropped(), 5u);
  EXPECT_EQ(reader_->Info().Get("argv"), "ls -l");
  EXPECT_EQ(std::filesystem::status(path_).permissions() & std::filesystem::perms::others_read,
            std::filesystem::perms::none);
}

TEST_F(RecordFileTest, CutAnywhereItGivesWhatIsWholeOrSaysWhatItIs) {
  WriteSample();
  const uintmax_t size = std::filesystem::file_size(path_);
  size_t most = 0;
  for (uintmax_t cut = size; cut-- > 0;) {
    std::filesystem::resize_file(path_, cut);
    const absl::Status status = ReadAll();
    if (!status.ok()) {
      EXPECT_THAT(std::string(status.message()),
                  ::testing::AnyOf(HasSubstr("not a recording"), HasSubstr("ends within its")));
      EXPECT_LT(cut, 80u);
      continue;
    }
    EXPECT_FALSE(reader_->Complete());
    most = std::max(most, records_.size());
  }
  EXPECT_EQ(most, 3u);
}

TEST_F(RecordFileTest, AnyDamagedByteIsFound) {
  WriteSample();
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path_));
  for (std::streamoff at = 0; at < size; ++at) {
    // The reserved word of the header is nobody's.
    if (at >= 20 && at < 24) continue;
    FlipByte(at);
    const absl::Status status = ReadAll();
    EXPECT_FALSE(status.ok()) << "byte " << at;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
    FlipByte(at);
  }
  EXPECT_TRUE(ReadAll().ok());
}

TEST_F(RecordFileTest, AForeignFileIsRefused) {
  std::ofstream(path_) << "#!/bin/sh\necho this is a script, and long enough to hold a header\n";
  EXPECT_THAT(std::string(ReadAll().message()), HasSubstr("not a recording"));
  EXPECT_EQ(ErrnoOf(RecordReader::Open(path_ + ".none").status()), ENOENT);
  EXPECT_THAT(std::string(RecordReader::Open("/dev/null").status().message()),
              HasSubstr("not a regular file"));
}

TEST_F(RecordFileTest, AKilledRecorderLeavesItsRecords) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    auto writer = Create();
    if (!writer->Append(AsBytes(Frames({"kept"}))).ok()) ::_exit(1);
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(ReadAll().ok());
  EXPECT_THAT(records_, ElementsAre("kept"));
  EXPECT_FALSE(reader_->Complete());
}

TEST_F(RecordFileTest, AFullDiskIsOneErrorAndLeavesWhatWasWritten) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    // The kernel's own limit stands for the disk: the same short write, then an error.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto writer = Create();
    if (!writer->Append(AsBytes(Frames({"kept"}))).ok()) ::_exit(1);
    const absl::Status status = writer->Append(AsBytes(Frames({std::string(8000, 'x')})));
    if (ErrnoOf(status) != EFBIG) ::_exit(2);
    ::_exit(writer->Append(AsBytes(Frames({"more"}))).ok() ? 3 : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(ReadAll().ok());
  EXPECT_THAT(records_, ElementsAre("kept"));
  EXPECT_LT(std::filesystem::file_size(path_), 200u) << "the part of a chunk is still there";
}

TEST(Checksum, TheCpusInstructionAndTheTableAgree) {
  std::mt19937 random(7);
  std::string data;
  for (int size = 0; size < 200; ++size) {
    EXPECT_EQ(Checksum(AsBytes(data)), ChecksumPortable(AsBytes(data))) << size;
    data.push_back(static_cast<char>(random()));
  }
}

}  // namespace
}  // namespace utrace
