// SPDX-License-Identifier: Apache-2.0
// The strings of tracees/puppet: memory shared between it and the test.
#ifndef TESTS_INTEGRATION_PUPPET_H_
#define TESTS_INTEGRATION_PUPPET_H_

#include <atomic>

namespace utrace::test {

// kCallOn: again and again, until the next order.
enum class PuppetVerb { kCall, kCallOn, kExec };

struct PuppetStrings {
  // What to do, valid once `orders` has been raised; `done` follows `orders` when it is done.
  std::atomic<PuppetVerb> verb;
  std::atomic<long> nr;
  std::atomic<long> argument;
  std::atomic<unsigned> orders;

  std::atomic<unsigned> done;
  std::atomic<long> result;
  // Rises while it runs in user mode, waiting for an order.
  std::atomic<unsigned long> turns;
};

static_assert(std::atomic<long>::is_always_lock_free);

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_PUPPET_H_
