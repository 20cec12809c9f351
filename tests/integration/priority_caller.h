// SPDX-License-Identifier: Apache-2.0
// What holds of a call by any table: of a program that for each line it hears calls getpriority(0,
// 0), which is 20, and says the result, of two digits.
#ifndef TESTS_INTEGRATION_PRIORITY_CALLER_H_
#define TESTS_INTEGRATION_PRIORITY_CALLER_H_

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"

namespace utrace::test {

class PriorityCaller : public testing::Test {
 protected:
  // `number` as its notices have it, `asked` as a set of calls does; `flag` is that of its notices.
  PriorityCaller(const std::vector<std::string>& program, int number, int asked, uint32_t flag)
      : tracee_(program), number_(number), asked_(asked), flag_(flag) {}

  void Attach(uint32_t events, const std::string& line) {
    engine_ = device_.AttachForCalls(tracee_.pid(), events, {asked_});
    ASSERT_GT(engine_, 0);
    tracee_.Tell(line);
  }
  utrace_notice Held(uint32_t event) {
    const utrace_notice notice = device_.Next();
    EXPECT_EQ(notice.type, UTRACE_NOTICE_HELD) << ToString(notice);
    EXPECT_EQ(notice.event, event);
    EXPECT_EQ(notice.nr, number_);
    EXPECT_EQ(notice.flags & UTRACE_NOTICE_COMPAT, flag_);
    return notice;
  }

  void IsTold(const std::string& line) {
    Attach(UTRACE_EVENT_SYSCALL, line);
    EXPECT_EQ(device_.Resume(Held(UTRACE_EVENT(SYSCALL_ENTRY))), 0);
    EXPECT_EQ(tracee_.Hear(100), "");
    const utrace_notice exit = Held(UTRACE_EVENT(SYSCALL_EXIT));
    EXPECT_EQ(exit.result, 20);
    EXPECT_EQ(device_.Resume(exit), 0);
    EXPECT_EQ(tracee_.Hear(), "20");
  }
  void IsSkipped(const std::string& line) {
    Attach(UTRACE_EVENT(SYSCALL_ENTRY), line);
    utrace_answer answer = AnswerTo(Held(UTRACE_EVENT(SYSCALL_ENTRY)));
    answer.action |= UTRACE_SYSCALL_ABORT;
    answer.flags = UTRACE_ANSWER_SET_RESULT;
    answer.result = 42;
    EXPECT_EQ(device_.Answer(answer), 0);
    EXPECT_EQ(tracee_.Hear(), "42");
  }
  // The engine stays.
  void IsChanged(const std::string& line, int getppid_number) {
    Attach(UTRACE_EVENT(SYSCALL_ENTRY), line);
    const utrace_notice entry = Held(UTRACE_EVENT(SYSCALL_ENTRY));
    utrace_answer answer = AnswerTo(entry);
    answer.flags = UTRACE_ANSWER_SET_CALL;
    answer.nr = getppid_number;
    // They are its registers, which it expects to find as they were.
    std::copy(std::begin(entry.args), std::end(entry.args), answer.args);
    EXPECT_EQ(device_.Answer(answer), 0);
    char parent[8];
    std::snprintf(parent, sizeof parent, "%02d", getpid() % 100);
    EXPECT_EQ(tracee_.Hear(), parent);
  }

  Tracee tracee_;
  Device device_ = Device::Open();
  int64_t engine_ = 0;

 private:
  const int number_;
  const int asked_;
  const uint32_t flag_;
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_PRIORITY_CALLER_H_
