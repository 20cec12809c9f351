// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/observer_list.h"

#include <unistd.h>

#include <memory>

#include "gtest/gtest.h"
#include "userspace/base/errno_status.h"
#include "userspace/libutrace/bpf/observer.h"
#include "userspace/libutrace/bpf/privileges.h"

namespace utrace {
namespace {

bool Listed(const std::vector<RunningObserver>& observers) {
  for (const RunningObserver& observer : observers) {
    if (observer.owner == ::getpid()) return true;
  }
  return false;
}

TEST(ObserverList, HasAProcessWhileItObserves) {
  if (const absl::Status able = CheckCanObserve(); !able.ok()) GTEST_SKIP() << able;
  EXPECT_FALSE(Listed(*ListObservers()));
  {
    const auto observer = Observer::Create(ObserverOptions());
    ASSERT_TRUE(observer.ok()) << observer.status();
    EXPECT_TRUE(Listed(*ListObservers()));
  }
  EXPECT_FALSE(Listed(*ListObservers()));
}

}  // namespace
}  // namespace utrace
