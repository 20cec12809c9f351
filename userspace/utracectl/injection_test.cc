// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/injection.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace utrace {
namespace {

using testing::HasSubstr;

// What it sets, but for what all of them do.
std::string Settings(const std::string& text) {
  const absl::StatusOr<Injection> injection = ParseInjection(text);
  if (!injection.ok()) return std::string(injection.status().message());
  EXPECT_EQ(injection->text, text);
  std::string settings;
  for (const auto& [name, value] : injection->settings) {
    if (name == "each_thread" || name == "first" || name == "tells") {
      EXPECT_EQ(value, "true");
      continue;
    }
    settings += (settings.empty() ? "" : " ") + name + "=" + value;
  }
  return settings;
}

TEST(Injection, Actions) {
  EXPECT_EQ(Settings("openat:error=ENOENT"), "error=2");
  EXPECT_EQ(Settings("openat:error=4095"), "error=4095");
  EXPECT_EQ(Settings("read:retval=0"), "gives=true value=0");
  EXPECT_EQ(Settings("read:retval=-1"), "gives=true value=-1");
  EXPECT_EQ(Settings("mmap:retval=0xffffffffffffffff"), "gives=true value=-1");
  EXPECT_EQ(Settings("write:signal=TERM"), "signal=15 error=0");
  EXPECT_EQ(Settings("write:signal=SIGUSR1:error=EINTR"), "signal=10 error=4");
  EXPECT_EQ(Settings("fsync:delay=20ms"), "delay=20000 error=0");
  EXPECT_EQ(Settings("fsync:delay_enter=250"), "delay=250 error=0");
  EXPECT_EQ(Settings("fsync:delay=0.5s:retval=7"), "delay=500000 gives=true value=7");
  EXPECT_EQ(Settings("fsync:delay=3600s"), "delay=3600000000 error=0");
  EXPECT_EQ(Settings("openat:arg2=0x8000"), "argument=2 becomes=32768 error=0");
  EXPECT_EQ(Settings("openat:arg0=-100"), "argument=0 becomes=18446744073709551516 error=0");
}

TEST(Injection, When) {
  EXPECT_EQ(Settings("read:error=EIO:when=3"), "error=5 after=2 every=1 until=3");
  EXPECT_EQ(Settings("read:when=3+:error=EIO"), "after=2 every=1 until=0 error=5");
  EXPECT_EQ(Settings("read:error=EIO:when=1+2"), "error=5 after=0 every=2 until=0");
  EXPECT_EQ(Settings("read:error=EIO:when=3..5"), "error=5 after=2 every=1 until=5");
  EXPECT_EQ(Settings("read:error=EIO:when=3..9+2"), "error=5 after=2 every=2 until=9");
}

TEST(Injection, AboutWhichCalls) {
  const auto expression = [](const char* text) { return ParseInjection(text)->expression; };
  EXPECT_EQ(expression("open,openat:error=EIO"), "call in (open, openat)");
  EXPECT_EQ(expression("all:delay=1ms"), "pid > 0");
  // It is the last, and may have what elsewhere comes between.
  EXPECT_EQ(expression("openat:error=EIO:if=path ~ '*:x' || uid == 0"),
            "call in (openat) && (path ~ '*:x' || uid == 0)");
  EXPECT_EQ(expression("all:error=EIO:if=fd == 3"), "(fd == 3)");
}

TEST(Injection, WhatCannotBeIsRefused) {
  const std::map<std::string, std::string> refused = {
      {"", "there is no system call ''"},
      {"opennat:error=EIO", "there is no system call 'opennat'"},
      {"openat,:error=EIO", "there is no system call ''"},
      {"openat", "it does nothing"},
      {"openat:when=3", "it does nothing"},
      {"openat:", "it does not know ''"},
      {"openat:errror=EIO", "it does not know 'errror'"},
      {"openat:error", "'' is no errno"},
      {"openat:error=4096", "'4096' is no errno"},
      {"openat:error=-5", "'-5' is no errno"},
      {"openat:error=EIO:retval=0", "not both"},
      {"openat:retval=0:error=EIO", "not both"},
      {"openat:retval=x", "'x' is no number"},
      {"openat:signal=65", "'65' is no signal"},
      {"openat:delay=0", "'0' is no time"},
      {"openat:delay=3601s", "'3601s' is no time"},
      {"openat:delay=nan", "'nan' is no time"},
      {"openat:delay=1h", "'1h' is no time"},
      {"openat:arg6=1", "it does not know 'arg6'"},
      {"openat:arg1=1:arg2=1", "one argument"},
      {"openat:error=EIO:when=0", "it is when="},
      {"openat:error=EIO:when=", "it is when="},
      {"openat:error=EIO:when=3+0", "it is when="},
      {"openat:error=EIO:when=5..3", "it is when="},
      {"openat:error=EIO:when=1..2..3", "it is when="},
      {"openat:error=EIO:if=path ~ x", "~"},
      {"openat:error=EIO:if=ret < 0", "ret"},
  };
  for (const auto& [text, why] : refused) {
    const absl::StatusOr<Injection> injection = ParseInjection(text);
    ASSERT_FALSE(injection.ok()) << text;
    EXPECT_THAT(std::string(injection.status().message()), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace utrace
