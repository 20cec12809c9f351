// SPDX-License-Identifier: Apache-2.0
// Engines as their objects have them, before any kernel is asked.
#include "userspace/libutrace/bpf/engine_object.h"

#include <cerrno>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "include/uapi/utrace.h"
#include "userspace/base/errno_status.h"

namespace utrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;

std::unique_ptr<EngineObject> Opened(const std::string& name) {
  absl::StatusOr<std::unique_ptr<EngineObject>> engine =
      EngineObject::Open(GALLERY "/" + name + ".bpf.o");
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

TEST(EngineObject, OptionsAreWhatTheirTypesAndTagsSay) {
  const auto engine = Opened("faultinject");
  EXPECT_EQ(engine->Name(), "faultinject");
  EXPECT_THAT(engine->Options(), IsSupersetOf({"call=-1", "error=EIO", "every=1", "after=0",
                                               "signal=0", "first=false"}));
  EXPECT_THAT(engine->Settings(), IsEmpty());
  EXPECT_TRUE(engine->Set("call", "openat").ok());
  EXPECT_TRUE(engine->Set("error", "28").ok());
  EXPECT_TRUE(engine->Set("every", "4294967295").ok());
  EXPECT_TRUE(engine->Set("after", "0x10").ok());
  EXPECT_THAT(engine->Settings(),
              ElementsAre("call=openat", "error=ENOSPC", "every=4294967295", "after=16"));
  EXPECT_THAT(engine->Options(), IsSupersetOf(engine->Settings()));
  EXPECT_THAT(Opened("exechold")->Options(), ElementsAre("name="));
  EXPECT_THAT(Opened("crashcatch")->Options(), ElementsAre("term=false"));
  EXPECT_THAT(Opened("forktree")->Options(), ElementsAre("threads=false"));
  EXPECT_THAT(Opened("recorder")->Options(), ElementsAre("hold_at=-1", "leave=false"));
}

// A name is that of a file, and of a folder that is removed with all that is in it.
TEST(EngineObject, ANameLeadsNowhereElse) {
  const auto engine = Opened("faultinject");
  for (const char* bad : {"", ".", "..", "../x", "a/b", "a.b", "a b", "0123456789abcdef"}) {
    const absl::Status status = engine->SetName(bad);
    EXPECT_EQ(ErrnoOf(status), EINVAL) << bad;
    EXPECT_THAT(std::string(status.message()), HasSubstr("1 to 15 letters, digits, - and _"));
    EXPECT_EQ(engine->Name(), "faultinject");
  }
  EXPECT_TRUE(engine->SetName("mine-2_B").ok());
  EXPECT_EQ(engine->Name(), "mine-2_B");
}

// What the loader says of itself is no option.
TEST(EngineObject, ItsNameIsNoOption) {
  const auto engine = Opened("denypath");
  EXPECT_THAT(engine->Options(), ElementsAre("error=EACCES"));
  EXPECT_EQ(ErrnoOf(engine->Set("utrace_name", "x")), ENOENT);
}

TEST(EngineObject, WhatIsNoneOfAnOptionsValuesChangesNothing) {
  const struct {
    const char* object;
    const char* option;
    const char* text;
    int error;
    const char* takes;
  } kBad[] = {
      {"faultinject", "call", "nosuch", EINVAL, "the name of a system call"},
      {"faultinject", "error", "", EINVAL, "an errno, as ENOSPC"},
      {"faultinject", "every", "-1", EINVAL, "a number"},
      {"faultinject", "every", "1x", EINVAL, "a number"},
      {"faultinject", "every", "4294967296", ERANGE, "it has 4 bytes"},
      {"faultinject", "what", "1", ENOENT, "it has call, error, gives, value, delay, signal,"},
      {"recorder", "hold_at", "-2147483649", ERANGE, "it has 4 bytes"},
      {"crashcatch", "term", "1", EINVAL, "true or false"},
      {"exechold", "name", "0123456789abcdef", ERANGE, "it has room for 15 bytes"},
  };
  for (const auto& bad : kBad) {
    const auto engine = Opened(bad.object);
    const auto before = engine->Options();
    const absl::Status status = engine->Set(bad.option, bad.text);
    EXPECT_EQ(ErrnoOf(status), bad.error) << status;
    EXPECT_THAT(status.message(), HasSubstr(bad.takes));
    EXPECT_EQ(engine->Options(), before);
  }
  EXPECT_TRUE(Opened("exechold")->Set("name", "0123456789abcde").ok());
}

TEST(EngineObject, HearsOfWhatItHasProgramsFor) {
  EXPECT_EQ(Opened("faultinject")->Events(), UTRACE_EVENT(SYSCALL_ENTRY));
  EXPECT_EQ(Opened("exechold")->Events(), UTRACE_EVENT(EXEC));
  EXPECT_EQ(Opened("recorder")->Events(), UTRACE_EVENTS_ALL & ~UTRACE_EVENT(STEP));
}

TEST(EngineObject, AnExpressionIsPutIntoWhatHasRoomForIt) {
  const auto open = [](const std::string& name, const std::string& expression) {
    return EngineObject::Open(GALLERY "/" + name + ".bpf.o", expression).status();
  };
  EXPECT_TRUE(open("faultinject", "call == openat && path ~ '*.o'").ok());
  EXPECT_TRUE(open("pause", "fd == 3").ok());
  EXPECT_THAT(open("forktree", "pid == 1").message(), HasSubstr("it has no room for one"));
  EXPECT_THAT(open("faultinject", "fd == 3 && failed").message(),
              HasSubstr("it is asked before the call is made: this is not known yet\n"
                        "  fd == 3 && failed\n"
                        "             ^~~~~~"));
  EXPECT_FALSE(open("faultinject", "ret < 0").ok());
}

TEST(EngineObject, WhatIsNoEngineIsRefused) {
  for (const auto& [file, why] :
       {std::pair("/no/such.bpf.o", "No such file"), std::pair("/dev/null", "it is no BPF object"),
        std::pair(GALLERY "/../CMakeFiles", "Is a directory")}) {
    const auto engine = EngineObject::Open(file);
    ASSERT_FALSE(engine.ok()) << file;
    EXPECT_THAT(engine.status().message(), HasSubstr(why));
  }
}

}  // namespace
}  // namespace utrace
