// SPDX-License-Identifier: Apache-2.0
// Which calls are recorded, by an expression.
#include <fcntl.h>
#include <sys/wait.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/libutrace/bpf/testing/observer_fixture.h"
#include "userspace/libutrace/decode/copy_rules.h"
#include "userspace/libutrace/predicate/compile.h"

namespace utrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ObserverChoice : public ObserverTest {
 protected:
  void Choose(absl::string_view text) {
    table_ = CopyRulesFor(Abi::kX8664);
    options_.rules_x86_64 = table_;
    const absl::StatusOr<Expression> expression = ParseExpression(text);
    ASSERT_TRUE(expression.ok()) << expression.status();
    const absl::StatusOr<std::vector<bpf_insn>> code = CompileExpression(*expression);
    ASSERT_TRUE(code.ok()) << code.status();
    options_.chosen = *code;
  }
  // The calls of a child that opens and closes, as "name path" or "name fd".
  std::vector<std::string> CallsOfChild() {
    Start();
    const pid_t pid = Child([] {
      for (const char* path : {"/etc/hostname", "/etc/nonexistent", "/usr/nonexistent"}) {
        const int fd = ::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        ::syscall(SYS_getppid);
        if (fd >= 0) ::close(fd);
      }
      ::_exit(4);
    });
    Collect();
    ::waitpid(pid, nullptr, 0);
    EXPECT_EQ(stream_->GetTotals().lost, 0u);
    EXPECT_EQ(All<PendingEvent>().size(), 0u);
    EXPECT_EQ(All<ExitEvent>().size(), 1u) << "no call";
    std::vector<std::string> calls;
    for (const SyscallEvent& call : All<SyscallEvent>()) {
      calls.push_back(std::to_string(call.nr) +
                      (call.payloads.empty() ? "" : " " + call.payloads.front().bytes));
    }
    return calls;
  }

  CopyRuleTable table_{};
};

TEST_F(ObserverChoice, ByNumberAndPath) {
  Choose("call == openat && path ~ '/etc/*' && failed");
  EXPECT_THAT(CallsOfChild(), ElementsAre("257 /etc/nonexistent"));
}

TEST_F(ObserverChoice, ByWhatIsInTheRegisters) {
  Choose("call in (close, exit_group) && fd != 7 || arg0 == 4 || call == getppid && ret > 0");
  EXPECT_THAT(CallsOfChild(), ::testing::Contains("110").Times(3));
  Choose("call == exit_group && arg0 == 4");
  events_.clear();
  EXPECT_THAT(CallsOfChild(), ElementsAre("231"));
}

TEST_F(ObserverChoice, NothingIfNothingFits) {
  Choose("path == '/etc/host' || comm ~ '*no such name*'");
  EXPECT_THAT(CallsOfChild(), IsEmpty());
}

TEST_F(ObserverChoice, AnExecIsChosenByItsFile) {
  Choose("call == execve && path ~ '*/sh'");
  TraceCommand({"sh", "-c", "/bin/true; /bin/cat /dev/null"});
  const std::vector<ExecEvent> execs = All<ExecEvent>();
  ASSERT_EQ(execs.size(), 1u);
  EXPECT_THAT(execs[0].argv, testing::Contains("sh"));
  EXPECT_THAT(All<SyscallEvent>(), IsEmpty());
}

}  // namespace
}  // namespace utrace
