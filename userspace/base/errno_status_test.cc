// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/errno_status.h"

#include <cerrno>

#include "gtest/gtest.h"

namespace utrace {
namespace {

TEST(ErrnoStatus, KeepsErrnosThatShareACode) {
  for (const int error : {ESRCH, ENOENT, ENODEV, EINPROGRESS, EALREADY, EEXIST}) {
    EXPECT_EQ(ErrnoOf(ErrnoStatus(error, "attach to thread 7")), error);
  }
}

TEST(ErrnoStatus, MessageIsAttemptThenReason) {
  EXPECT_EQ(ErrnoStatus(ENOENT, "open /dev/utrace").message(),
            "open /dev/utrace: No such file or directory");
}

TEST(ErrnoStatus, ABetterReasonStandsInPlaceOfTheErrnosWords) {
  const absl::Status status = ErrnoStatus(EPERM, "stop process 7", "it is a kernel thread");
  EXPECT_EQ(status.message(), "stop process 7: it is a kernel thread");
  EXPECT_EQ(ErrnoOf(status), EPERM);
}

TEST(ErrnoStatus, ZeroIsNoError) {
  EXPECT_TRUE(ErrnoStatus(0, "x").ok());
  EXPECT_TRUE(FromNegErrno(3, "x").ok());
  EXPECT_EQ(ErrnoOf(absl::OkStatus()), 0);
  EXPECT_EQ(ErrnoOf(absl::InternalError("x")), 0);
}

TEST(ErrnoStatus, AnnotateKeepsCodeAndErrno) {
  const absl::Status status = Annotate(FromNegErrno(-EPERM, "load"), "see doctor", "\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoOf(status), EPERM);
  EXPECT_EQ(status.message(), "load: Operation not permitted\nsee doctor");
}

}  // namespace
}  // namespace utrace
