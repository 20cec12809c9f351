// SPDX-License-Identifier: Apache-2.0
// utracectl trace beside an engine of the kernel's own: what only such a one brings about.
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>

#include "gmock/gmock.h"
#include "tests/integration/cli.h"
#include "tests/integration/seed.h"
#include "userspace/utracectl/testing/json_schema.h"

namespace utrace::test {
namespace {

using testing::ElementsAre;

class SeedTrace : public SeedTest {};

// The engine waits for it; the other process keeps the trace going until then.
TEST_F(SeedTrace, AReapIsToldAfterTheDeathAndFitsTheSchema) {
  Puppet puppet;
  Opener other;
  Seed engine;
  ASSERT_EQ(engine.Attach(puppet.pid()), 0);
  ASSERT_EQ(engine.SetEvents(UTRACE_EVENT(REAP)), 0);
  const std::string pid = std::to_string(puppet.pid());
  Cli trace({"trace", "-j", "-v", "-p", pid + "," + other.Name()});
  ASSERT_TRUE(trace.Says("calls come from the utrace module's hooks")) << trace.Err();
  ASSERT_TRUE(trace.Says("\"openat\""));
  puppet.Call(SYS_exit_group, 3);
  ASSERT_TRUE(Eventually([&] { return StateOf(puppet.pid()) == 'Z'; }));
  EXPECT_EQ(waitpid(puppet.pid(), nullptr, 0), puppet.pid());
  puppet.Forget();
  ASSERT_TRUE(trace.Says("\"ev\":\"reap\""));
  trace.Kill(SIGINT);
  EXPECT_EQ(trace.Wait(), 0);
  const JsonSchema schema;
  std::vector<std::string> events;
  for (const std::string& line : LinesOf(trace.Out())) {
    ASSERT_EQ(schema.Complaint(line), "");
    if (line.find("\"pid\":" + pid + ",") == std::string::npos) continue;
    const size_t ev = line.find("\"ev\":\"") + 6;
    events.push_back(line.substr(ev, line.find('"', ev) - ev));
  }
  EXPECT_THAT(events, ElementsAre("syscall", "exit", "death", "reap"));
}

}  // namespace
}  // namespace utrace::test
