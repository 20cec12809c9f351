// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/observer_list.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/libutrace/bpf/privileges.h"

namespace utrace {
namespace {

// The threads that we observe; nothing if we are not in the list.
std::optional<int64_t> Listed(const std::vector<RunningObserver>& observers) {
  for (const RunningObserver& observer : observers) {
    if (observer.owner == ::getpid()) return observer.threads;
  }
  return std::nullopt;
}

TEST(ObserverList, HasAProcessWhileItObserves) {
  if (const absl::Status able = CheckCanObserve(); !able.ok()) GTEST_SKIP() << able;
  EXPECT_EQ(Listed(*ListObservers()), std::nullopt);
  {
    const auto observer = Observer::Create(ObserverOptions());
    ASSERT_TRUE(observer.ok()) << observer.status();
    EXPECT_EQ(Listed(*ListObservers()), 0) << "the number is known";
  }
  EXPECT_EQ(Listed(*ListObservers()), std::nullopt);
}

}  // namespace
}  // namespace utrace
