// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include <set>
#include <variant>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "include/uapi/utrace.h"
#include "userspace/utracectl/output/json.h"
#include "userspace/utracectl/output/text.h"
#include "userspace/utracectl/testing/json_schema.h"

namespace utrace {
namespace {

using testing::HasSubstr;

Event Of(EventBody body, int32_t tid = 100) {
  Event event;
  event.ts_ns = 12345;
  event.seq = 7;
  event.pid = 100;
  event.tid = tid;
  event.body = std::move(body);
  return event;
}

SyscallEvent Close(bool resumed = false) {
  SyscallEvent call;
  call.nr = SYS_close;
  call.args = {9};
  call.ret = -EBADF;
  call.resumed = resumed;
  return call;
}

PendingEvent PendingRead() {
  PendingEvent call;
  call.nr = SYS_read;
  call.args = {0, 0x1000, 10};
  return call;
}

SyscallEvent ResumedRead() {
  SyscallEvent call;
  call.nr = SYS_read;
  call.args = {0, 0x1000, 10};
  call.ret = 2;
  call.payloads = {{1, Payload::Kind::kBytes, false, false, "hi"}};
  call.resumed = true;
  return call;
}

SignalEvent ChildGone() {
  SignalEvent signal;
  signal.signo = SIGCHLD;
  signal.code = CLD_EXITED;
  signal.pid = 101;
  signal.status = 3;
  return signal;
}

std::string TextOf(TextWriter& writer, const Event& event) {
  std::string out;
  writer.Write(event, &out);
  return out;
}

TEST(TextWriterTest, ResultsStandInOneColumn) {
  TextWriter writer({});
  EXPECT_EQ(TextOf(writer, Of(Close())),
            "close(9)                                = -1 EBADF (Bad file descriptor)\n");
}

TEST(TextWriterTest, LinesSayWhoseTheyAreWhileThereIsMoreThanOneThread) {
  TextWriter writer({});
  EXPECT_THAT(TextOf(writer, Of(Close())), HasSubstr("close(9)"));
  EXPECT_EQ(TextOf(writer, Of(ForkEvent{101, 101, false, true})), "");
  EXPECT_THAT(TextOf(writer, Of(Close())), HasSubstr("[pid   100] close(9)"));
  EXPECT_EQ(TextOf(writer, Of(ExitEvent{3 << 8, true}, 101)),
            "[pid   101] +++ exited with 3 +++\n");
  EXPECT_EQ(TextOf(writer, Of(ExitEvent{SIGSEGV | 0x80, true})),
            "+++ killed by SIGSEGV (core dumped) +++\n");
}

TEST(TextWriterTest, ACallInProgressIsSplitWhereItsUnknownPartBegins) {
  TextWriter writer({});
  EXPECT_EQ(TextOf(writer, Of(PendingRead())), "read(0,  <unfinished ...>\n");
  EXPECT_EQ(TextOf(writer, Of(ResumedRead())), "<... read resumed>\"hi\", 10)             = 2\n");
}

TEST(TextWriterTest, ASignalShowsWhatItsSenderSaid) {
  TextWriter writer({});
  EXPECT_EQ(TextOf(writer, Of(ChildGone())),
            "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=101, si_uid=0, si_status=3, "
            "si_utime=0, si_stime=0} ---\n");
}

TEST(TextWriterTest, AHoldSaysWhere) {
  TextWriter writer({});
  EXPECT_EQ(TextOf(writer, Of(StopEvent{UTRACE_EVENT(SYSCALL_ENTRY), SYS_close, Abi::kX8664})),
            "--- utrace: held at the entry of close ---\n");
  EXPECT_EQ(TextOf(writer, Of(StopEvent{0, -1, Abi::kX8664})),
            "--- utrace: held before its next instruction ---\n");
  EXPECT_EQ(TextOf(writer, Of(ResumeEvent{})), "--- utrace: resumed ---\n");
}

TEST(TextWriterTest, LossIsShownAtItsPlace) {
  TextWriter writer({});
  EXPECT_EQ(TextOf(writer, Of(LostEvent{12})), "+++ 12 events lost here +++\n");
}

TEST(TextWriterTest, AnExecIsTheLineOfItsCall) {
  TextWriter writer({});
  ExecEvent exec;
  exec.nr = SYS_execve;
  exec.filename = "/bin/true";
  exec.argv = {"true"};
  exec.envc = 2;
  EXPECT_EQ(TextOf(writer, Of(exec)), "execve(\"/bin/true\", [\"true\"], /* 2 vars */) = 0\n");
}

class JsonWriterTest : public testing::Test {
 protected:
  std::string LineOf(const Event& event) {
    std::string out;
    writer_.Write(event, &out);
    EXPECT_EQ(schema_.Complaint(out), "");
    return out;
  }

  JsonWriter writer_{DecodeOptions{}};
  JsonSchema schema_;
};

TEST_F(JsonWriterTest, EveryKindOfEventFitsTheSchema) {
  SignalEvent sent = ChildGone();
  sent.sent = true;
  ExecEvent exec;
  exec.nr = SYS_execve;
  exec.filename = "/bin/\xff";
  exec.argv = {"a", "\xfe"};
  exec.argv_truncated = true;
  const StopEvent held{UTRACE_EVENT(SYSCALL_ENTRY), SYS_close, Abi::kX8664};
  std::set<size_t> kinds;
  for (const EventBody& body :
       {EventBody(Close(true)), EventBody(PendingRead()), EventBody(ResumedRead()),
        EventBody(ForkEvent{}), EventBody(exec), EventBody(ExitEvent{}),
        EventBody(ExitEvent{SIGKILL, true}), EventBody(ChildGone()), EventBody(sent),
        EventBody(LostEvent{3}), EventBody(StopEvent{}), EventBody(held), EventBody(ResumeEvent{}),
        EventBody(DeathEvent{}), EventBody(DeathEvent{SIGKILL}), EventBody(ReapEvent{}),
        EventBody(JobControlEvent{SIGTSTP}), EventBody(JobControlEvent{})}) {
    LineOf(Of(body));
    kinds.insert(body.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<EventBody>) << "a kind of event has no line here";
}

TEST_F(JsonWriterTest, TheSchemaRefusesWhatItDoesNotDescribe) {
  std::string line = LineOf(Of(Close()));
  line.insert(1, "\"extra\":1,");
  EXPECT_NE(schema_.Complaint(line), "");
  EXPECT_NE(schema_.Complaint("{\"v\":1,\"ts\":1,\"seq\":1,\"pid\":1,\"tid\":1,\"ev\":\"x\"}"), "");
  EXPECT_NE(schema_.Complaint("{"), "");
  // Where it was seen stands in every line but the last.
  line = LineOf(Of(Close()));
  line.replace(line.find("\"cpu\":0,"), 8, "");
  EXPECT_NE(schema_.Complaint(line), "");
}

TEST_F(JsonWriterTest, AFailedCallNamesItsErrno) {
  EXPECT_THAT(LineOf(Of(Close())), HasSubstr("\"ret\":-9,\"errno\":\"EBADF\""));
}

TEST_F(JsonWriterTest, BytesThatAreNoTextComeInHexadecimal) {
  SyscallEvent call = ResumedRead();
  EXPECT_THAT(LineOf(Of(call)), HasSubstr("\"data\":\"hi\""));
  call.payloads[0].bytes = "\xff\x01";
  EXPECT_THAT(LineOf(Of(call)), HasSubstr("\"data\":{\"hex\":\"ff01\"}"));
}

TEST_F(JsonWriterTest, TheLastLineHasTheTotals) {
  std::string out;
  writer_.Finish({10, 2}, &out);
  EXPECT_EQ(schema_.Complaint(out), "");
  EXPECT_THAT(out, HasSubstr("\"ev\":\"end\",\"events\":10,\"lost\":2"));
}

}  // namespace
}  // namespace utrace
