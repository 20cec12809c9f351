// SPDX-License-Identifier: Apache-2.0
// What utracectl stack says of a program whose calls are known, without the module.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "userspace/utracectl/testing/json_schema.h"
#include "userspace/utracectl/utracectl_fixture.h"

namespace utrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

// A run of the sample, which waits for a line; killed with the object.
class Caller {
 public:
  explicit Caller(const std::vector<std::string>& words, const std::string& path = CALLER_PATH) {
    int to[2], from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      std::vector<char*> argv{const_cast<char*>(path.c_str())};
      for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      ::execv(path.c_str(), argv.data());
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_ = to[1];
    char ready[6] = {};
    EXPECT_EQ(::read(from[0], ready, sizeof(ready)), 6);
    // It says so before it is in its last call.
    ::usleep(100'000);
    ::close(from[0]);
  }
  ~Caller() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(in_);
  }
  std::string Name() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
};

class StackTest : public UtracectlTest {
 protected:
  // The functions of its frames, in order; "??" where there is no name.
  std::vector<std::string> Functions(const std::string& text) {
    std::vector<std::string> functions;
    for (const std::string& line : Lines(text)) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (words.size() < 3 || words[0][0] != '#') continue;
      functions.push_back(words[2].substr(0, words[2].find('+')));
    }
    return functions;
  }
  std::vector<std::string> FunctionsOf(const Caller& caller) {
    EXPECT_EQ(Run({"stack", caller.Name()}), 0) << err_;
    return Functions(out_);
  }
};

bool IsLibcsRead(const std::string& name) { return absl::StrContains(name, "read"); }

TEST_F(StackTest, NamesTheCallersInnermostFirst) {
  const Caller caller({"sleep"});
  std::vector<std::string> functions = FunctionsOf(caller);
  ASSERT_GE(functions.size(), 6u) << out_;
  EXPECT_TRUE(IsLibcsRead(functions[0])) << out_;
  // The outermost is the program's entry.
  EXPECT_EQ(functions.back(), "_start") << out_;
  EXPECT_THAT(out_, HasSubstr("caller, blocked in read\n"));
  EXPECT_THAT(out_, HasSubstr(" in caller\n"));
  EXPECT_THAT(out_, Not(HasSubstr("no further")));
  functions.erase(functions.begin());
  if (functions[0] != "sample_inner") functions.erase(functions.begin());  // Sleep, not inlined
  functions.resize(4);
  EXPECT_THAT(functions, ElementsAre("sample_inner", "sample_middle", "sample_outer", "main"));
}

TEST_F(StackTest, OfAllThreadsOrOfOne) {
  const Caller caller({"threads"});
  FunctionsOf(caller);
  std::vector<std::string> workers;
  for (const std::string& line : Lines(out_)) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words[0] == "tid" && words[2] == "worker,") workers.push_back(words[1]);
  }
  ASSERT_EQ(workers.size(), 3u) << out_;
  ASSERT_EQ(Run({"stack", absl::StrCat(caller.Name(), "/", workers[1])}), 0) << err_;
  EXPECT_THAT(Functions(out_), testing::Contains("sample_worker"));
  EXPECT_THAT(out_, Not(HasSubstr("sample_outer")));
  EXPECT_THAT(out_, Not(HasSubstr("tid " + workers[0])));
}

TEST_F(StackTest, ThroughTheFrameOfASignal) {
  const Caller caller({"handler"});
  EXPECT_THAT(FunctionsOf(caller), IsSupersetOf({"sample_handler", "sample_inner", "main"}));
  EXPECT_THAT(out_, HasSubstr("sample_handler"));
  EXPECT_LT(out_.find("sample_handler"), out_.find("sample_inner"));
}

TEST_F(StackTest, ThroughCodeMadeAtRunTime) {
  const Caller caller({"jit"});
  EXPECT_THAT(FunctionsOf(caller), IsSupersetOf({"made_at_run_time", "sample_inner", "main"}));
}

TEST_F(StackTest, OfAProgramWhoseFileIsGone) {
  const std::string copy = File("copy");
  std::filesystem::copy_file(CALLER_PATH, copy);
  const Caller caller({"sleep"}, copy);
  std::filesystem::remove(copy);
  std::filesystem::copy_file("/bin/true", copy);
  EXPECT_THAT(FunctionsOf(caller), IsSupersetOf({"sample_inner", "sample_outer", "main"}));
}

TEST_F(StackTest, EndsAtTheLimitAndSaysSo) {
  const Caller caller({"deep", "1000"});
  EXPECT_EQ(FunctionsOf(caller).size(), 256u);
  EXPECT_THAT(out_, HasSubstr("no further: there are more than 256"));
  ASSERT_EQ(Run({"stack", "-n", "10000", caller.Name()}), 0) << err_;
  EXPECT_EQ(Functions(out_).back(), "_start");
  EXPECT_GT(Functions(out_).size(), 1000u);
  const Caller deeper({"deep", "20000"});
  ASSERT_EQ(Run({"stack", "-n", "100000", deeper.Name()}), 0) << err_;
  EXPECT_EQ(Lines(out_).back(), "    no further: only 1024 KiB of its stack were copied");
}

TEST_F(StackTest, AsJson) {
  const Caller caller({"threads"});
  ASSERT_EQ(Run({"stack", "-j", caller.Name()}), 0) << err_;
  const JsonSchema schema(JsonSchema::Of::kControl);
  const std::vector<std::string> lines = Lines(out_);
  EXPECT_EQ(lines.size(), 4u);
  for (const std::string& line : lines) EXPECT_EQ(schema.Complaint(line), "");
  EXPECT_THAT(out_, HasSubstr("\"symbol\":\"sample_outer\",\"offset\":"));
  EXPECT_THAT(out_, HasSubstr("\"call\":\"read\""));
  EXPECT_THAT(out_, HasSubstr("\"build_id\":\""));
}

TEST_F(StackTest, TellsWhatItCannotShow) {
  EXPECT_EQ(Run({"stack", "2"}), 1);  // a kernel thread, or nobody
  EXPECT_THAT(err_, testing::AnyOf(HasSubstr("a kernel thread"), HasSubstr("no such process")));
  const Caller caller({"sleep"});
  // The others are shown all the same.
  EXPECT_EQ(Run({"stack", "999999999", caller.Name()}), 1);
  EXPECT_THAT(err_, HasSubstr("show the stack of process 999999999: there is no such process"));
  EXPECT_THAT(out_, HasSubstr("sample_outer"));
  EXPECT_EQ(Run({"stack", absl::StrCat(caller.Name(), "/1")}), 1);
  EXPECT_THAT(err_, HasSubstr("has no such thread"));
  EXPECT_EQ(Run({"stack", "-n", "0", caller.Name()}), 2);
}

}  // namespace
}  // namespace utrace
