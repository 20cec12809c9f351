// SPDX-License-Identifier: Apache-2.0
// What a trace shows is the same wherever its calls come from: the module's hooks or the raw
// tracepoint.
#include <fcntl.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli.h"

namespace utrace::test {
namespace {

using testing::HasSubstr;

constexpr int kSamplerOver = 5;

// By thread, in its own order.
using Sequences = std::map<int, std::vector<std::string>>;

void Drop(rapidjson::Value& object, const char* key) {
  if (object.HasMember(key)) object.EraseMember(key);
}

// Without what differs from run to run: the time, the CPU, the random bytes the C library asks for,
// and whether a call took so long that it was told of before its end.
void Normalise(rapidjson::Document& line) {
  Drop(line, "ts");
  Drop(line, "cpu");
  Drop(line, "resumed");
  if (!line.HasMember("name") || line["name"] != "getrandom") return;
  Drop(line["args"][0], "data");
  Drop(line["args"][0], "text");
}

Sequences SequencesOf(const std::string& text) {
  Sequences threads;
  // By process: whether one of its threads was the last to end. Which one, when two end at once, is
  // nobody's to say.
  std::map<int, bool> ended;
  for (const std::string& line : LinesOf(text)) {
    rapidjson::Document json;
    json.Parse(line.data(), line.size());
    if (json.HasParseError()) {
      ADD_FAILURE() << line;
      continue;
    }
    const std::string ev = json["ev"].GetString();
    EXPECT_NE(ev, "lost") << line;
    // The module alone tells deaths, reaps and job control; pending is what `resumed` is about; the
    // end is no thread's.
    if (ev == "death" || ev == "reap" || ev == "jctl" || ev == "pending" || ev == "end") continue;
    Normalise(json);
    if (ev == "exit") {
      ended[json["pid"].GetInt()] |= json["group"].GetBool();
      Drop(json, "group");
    }
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    json.Accept(writer);
    threads[json["tid"].GetInt()].push_back(buffer.GetString());
  }
  for (const auto& [pid, last] : ended) EXPECT_TRUE(last) << "no thread of " << pid << " was last";
  return threads;
}

// In a pid namespace of its own and without random addresses, so that numbers are the same in each
// run. What it says goes to `file`; what is said of it to `messages`.
int TraceSampler(std::vector<std::string> options, const std::string& file,
                 const std::string& messages) {
  std::vector<std::string> args = {"utracectl", "trace", "-j", "-f", "-v", "-o", file};
  args.insert(args.end(), options.begin(), options.end());
  args.insert(args.end(), {"--", TraceePath("sampler")});
  Fork outside([&] {
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return 90;
    Fork first([&] {
      if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          mount("proc", "/proc", "proc", 0, nullptr) != 0) {
        return 91;
      }
      Fork second([&] {
        dup2(open(messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
        personality(ADDR_NO_RANDOMIZE);
        std::vector<char*> argv;
        for (std::string& arg : args) argv.push_back(arg.data());
        argv.push_back(nullptr);
        execvp(argv[0], argv.data());
        return 92;
      });
      return WEXITSTATUS(second.Wait(50'000));
    });
    return WEXITSTATUS(first.Wait(50'000));
  });
  return WEXITSTATUS(outside.Wait(50'000));
}

class CliPlanesTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const std::string& name : files_) unlink(name.c_str());
  }
  std::string File(const std::string& name) {
    files_.push_back("/tmp/cli_planes_test." + std::to_string(getpid()) + "." + name);
    return files_.back();
  }
  std::vector<std::string> files_;
};

TEST_F(CliPlanesTest, SmokeATraceShowsTheSameFromEither) {
  const std::string hooks = File("hooks");
  const std::string raw = File("raw");
  const std::string messages = File("messages");
  ASSERT_EQ(TraceSampler({}, hooks, messages), kSamplerOver) << ReadWhole(messages);
  EXPECT_THAT(ReadWhole(messages), HasSubstr("calls come from the utrace module's hooks"));
  ASSERT_EQ(TraceSampler({"--no-module"}, raw, messages), kSamplerOver) << ReadWhole(messages);
  EXPECT_THAT(ReadWhole(messages), HasSubstr("calls come from the raw tracepoint"));

  const Sequences by_hooks = SequencesOf(ReadWhole(hooks));
  const Sequences by_raw = SequencesOf(ReadWhole(raw));
  EXPECT_EQ(by_hooks.size(), by_raw.size());
  EXPECT_GE(by_raw.size(), 19u) << "threads of the sampler";
  size_t exits = 0;
  for (const auto& [tid, lines] : by_raw) {
    const auto other = by_hooks.find(tid);
    ASSERT_NE(other, by_hooks.end()) << "only the raw tracepoint knows thread " << tid;
    for (size_t i = 0; i < std::min(lines.size(), other->second.size()); ++i) {
      ASSERT_EQ(other->second[i], lines[i]) << "line " << i << " of thread " << tid;
    }
    EXPECT_EQ(other->second.size(), lines.size()) << "lines of thread " << tid;
    for (const std::string& line : lines)
      exits += line.find("\"ev\":\"exit\"") != std::string::npos;
  }
  EXPECT_EQ(exits, by_raw.size());
}

}  // namespace
}  // namespace utrace::test
