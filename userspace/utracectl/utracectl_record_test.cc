// SPDX-License-Identifier: Apache-2.0
// record and report: what comes back out of a file, whole, lossy, cut or foreign.
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/utracectl/testing/json_schema.h"
#include "userspace/utracectl/utracectl_fixture.h"

namespace utrace {
namespace {

using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class RecordTest : public UtracectlTest {
 protected:
  // The exit status of a report of these bytes.
  int ReportOf(const std::string& bytes, std::vector<std::string> options = {}) {
    std::ofstream(File("other"), std::ios::binary) << bytes;
    options.insert(options.begin(), "report");
    options.push_back(File("other"));
    return Run(options);
  }
};

TEST_F(RecordTest, ARecordingReportsWhatATraceShows) {
  ASSERT_EQ(Run({"record", "-f", "-o", File("rec"), "--", "sh", "-c", "cat /etc/hostname; exit 5"}),
            5);
  EXPECT_EQ(out_, ReadAll("/etc/hostname"));
  EXPECT_THAT(err_, ContainsRegex("^utracectl: [0-9]+ events, 0 lost, in .*/rec\n$"));
  const std::string totals = err_.substr(0, err_.find(", in "));
  ASSERT_EQ(Run({"report", File("rec")}), 0);
  EXPECT_EQ(err_, totals + "\n");
  EXPECT_THAT(out_, HasSubstr("openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 3"));
  EXPECT_THAT(out_,
              HasSubstr("exit_group(5)                           = ?\n+++ exited with 5 +++"));
}

TEST_F(RecordTest, OfACutOneItGivesWhatIsThereAndSaysSo) {
  ASSERT_EQ(Run({"record", "-o", File("rec"), "--", "true"}), 0);
  const std::string whole = ReadAll(File("rec"));
  EXPECT_EQ(ReportOf(whole.substr(0, whole.size() - 5)), 1);
  EXPECT_THAT(out_, HasSubstr("+++ exited with 0 +++"));
  EXPECT_THAT(err_, HasSubstr("was not finished by its recorder"));
  EXPECT_THAT(err_, ContainsRegex("[0-9]+ events up to there"));
  // A program must not take it for whole either.
  EXPECT_EQ(ReportOf(whole.substr(0, whole.size() - 5), {"-j"}), 1);
  EXPECT_THAT(out_, Not(HasSubstr("\"ev\":\"end\"")));
  EXPECT_EQ(ReportOf(whole, {"-j"}), 0);
  EXPECT_THAT(out_, HasSubstr("\"ev\":\"end\""));
}

TEST_F(RecordTest, ADamagedOrForeignOneIsRefusedAtItsPlace) {
  ASSERT_EQ(Run({"record", "-o", File("rec"), "--", "true"}), 0);
  const std::string whole = ReadAll(File("rec"));
  std::string damaged = whole;
  damaged[damaged.size() - 60] ^= 1;
  EXPECT_EQ(ReportOf(damaged), 1);
  EXPECT_THAT(err_, ContainsRegex("damaged at byte [0-9]+: .*; record it again"));
  std::string newer = whole;
  newer[8] = 9;
  EXPECT_EQ(ReportOf(newer), 1);
  EXPECT_THAT(err_, HasSubstr("recorded in format 9, and this utracectl reads format 1"));
  for (const std::string& foreign : {std::string(), std::string("text\n"), ReadAll("/bin/true")}) {
    EXPECT_EQ(ReportOf(foreign), 1);
    EXPECT_THAT(err_, EndsWith("not a recording made by `utracectl record -o`\n"));
    EXPECT_EQ(out_, "");
  }
  EXPECT_EQ(Run({"report", "/etc"}), 1);
  EXPECT_THAT(err_, HasSubstr("read /etc: it is not a regular file"));
  EXPECT_EQ(Run({"report", "/no/such/file"}), 1);
  EXPECT_THAT(err_, HasSubstr("open /no/such/file: No such file or directory"));
  EXPECT_EQ(Run({"report"}), 2);
}

// The program stops its tracer, so that nobody empties the ring, and makes more calls than it
// holds.
TEST_F(RecordTest, AFullRingIsALossThatIsCountedShownAtItsPlaceAndTold) {
  const std::string program =
      "kill -STOP $PPID; i=0; while [ $i -lt 200000 ]; do : </dev/null; i=$((i+1)); done; "
      "kill -CONT $PPID; sleep 0.3; kill -TERM $$";
  EXPECT_EQ(Run({"record", "--fail-on-loss", "-f", "-o", File("rec"), "--", "sh", "-c", program}),
            3)
      << "loss goes before how the program ended";
  ASSERT_THAT(err_, ContainsRegex(" events, [1-9][0-9]* lost, in "));
  ASSERT_EQ(Run({"report", "-j", File("rec")}), 0);
  const JsonSchema schema;
  uint64_t lost = 0;
  bool in_midst = false;
  std::string last;
  for (const std::string& line : Lines(out_)) {
    if (absl::StrContains(line, "\"ev\":\"lost\"")) {
      EXPECT_EQ(schema.Complaint(line), "");
      uint64_t count = 0;
      const size_t at = line.find("\"count\":") + 8;
      ASSERT_TRUE(absl::SimpleAtoi(line.substr(at, line.find('}', at) - at), &count));
      lost += count;
    }
    // What the program did once there was room again comes after it.
    in_midst |= lost > 0 && absl::StrContains(line, "\"ev\":\"syscall\"");
    last = line;
  }
  EXPECT_TRUE(in_midst);
  EXPECT_THAT(last, HasSubstr(absl::StrCat("\"lost\":", lost, "}")));
}

}  // namespace
}  // namespace utrace
