// SPDX-License-Identifier: Apache-2.0
// The races are run several times each.
#include <cstdlib>

#include "gtest/gtest.h"

int main(int argc, char** argv) {
  const char* repeat = std::getenv("UTRACE_REPEAT");
  testing::GTEST_FLAG(repeat) = repeat != nullptr ? std::atoi(repeat) : 5;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
