// SPDX-License-Identifier: Apache-2.0
// H-1 once more: with auditing on, a thread may sleep between its flag and our hook, for longer
// than the hooks stay after their last engine.
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "tests/integration/seed.h"

namespace utrace::test {
namespace {

// How long the hooks stay after the last engine, and as much again.
constexpr useconds_t kTwiceQuiet = 6'000'000;

// One request to the kernel's audit: 0 or -errno.
template <typename T>
int AskAudit(uint16_t type, const T& body) {
  struct {
    nlmsghdr head;
    T body;
  } message{{sizeof(message), type, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, body};
  struct {
    nlmsghdr head;
    nlmsgerr error;
    char rest[sizeof(T)];
  } answer{};
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
  if (fd < 0) return -errno;
  int result = -EIO;
  if (send(fd, &message, sizeof(message), 0) == sizeof(message) &&
      recv(fd, &answer, sizeof(answer), 0) >= static_cast<ssize_t>(sizeof(answer.head)) &&
      answer.head.nlmsg_type == NLMSG_ERROR) {
    result = answer.error.error;
  }
  close(fd);
  return result;
}

// Threads born while it lives are audited; those born later are not, though auditing was on once.
class Auditing {
 public:
  Auditing() {
    audit_status status{};
    status.mask = AUDIT_STATUS_ENABLED;
    status.enabled = 1;
    EXPECT_EQ(AskAudit(AUDIT_SET, status), 0);
    const int error = AskAudit(AUDIT_DEL_RULE, NoThread());
    EXPECT_TRUE(error == 0 || error == -ENOENT) << error;
  }
  ~Auditing() { EXPECT_EQ(AskAudit(AUDIT_ADD_RULE, NoThread()), 0); }
  Auditing(const Auditing&) = delete;
  Auditing& operator=(const Auditing&) = delete;

 private:
  static audit_rule_data NoThread() {
    audit_rule_data rule{};
    rule.flags = AUDIT_FILTER_TASK;
    rule.action = AUDIT_NEVER;
    return rule;
  }
};

bool Hooked() {
  std::ifstream file("/sys/kernel/tracing/enabled_functions");
  EXPECT_TRUE(file.is_open());
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return text.find("user_single_step_report") != std::string::npos;
}

class SeedAudit : public SeedTest {
 protected:
  // In this order: it is born audited.
  Auditing auditing_;
  Puppet puppet_;
};

TEST_F(SeedAudit, H1TheHooksWaitForWhoIsBeingAudited) {
  Gates gates(puppet_.pid());
  {
    Seed engine;
    ASSERT_EQ(engine.Attach(puppet_.pid()), 0);
    ASSERT_EQ(engine.SetEvents(kEntry | kExit), 0);
    gates.Arm("audit-in");
    puppet_.Call(SYS_getppid);
    ASSERT_TRUE(gates.Parked("audit-in"));
    EXPECT_EQ(engine.Control(UTRACE_DETACH), 0);
  }
  usleep(kTwiceQuiet);
  EXPECT_TRUE(Hooked());
  gates.Open("audit-in");
  EXPECT_TRUE(puppet_.GetsDone());
  EXPECT_EQ(puppet_.result(), getpid());
  int status = 0;
  EXPECT_EQ(waitpid(puppet_.pid(), &status, WNOHANG), 0) << "died of signal " << WTERMSIG(status);
  EXPECT_TRUE(Eventually([] { return !Hooked(); }));
  // The mark was left to the thread, and has gone: what remains is the audit's own flag.
  ASSERT_EQ(SeedCommand("work " + std::to_string(puppet_.pid())), 0);
  EXPECT_EQ(SeedLog().back().value, 1 << 4);
}

}  // namespace
}  // namespace utrace::test
