// SPDX-License-Identifier: Apache-2.0
// A cgroup that can be frozen.
#ifndef TESTS_INTEGRATION_FREEZER_H_
#define TESTS_INTEGRATION_FREEZER_H_

#include <sys/types.h>

#include <string>

namespace utrace::test {

// Thawed with the object.
class Freezer {
 public:
  Freezer();
  ~Freezer() { Freeze(false); }
  Freezer(const Freezer&) = delete;
  Freezer& operator=(const Freezer&) = delete;

  // False if the kernel has no cgroup2.
  bool Add(pid_t pid) const;
  bool Freeze(bool frozen) const;
  // As the kernel says, once all in it are.
  bool IsFrozen() const;

 private:
  const std::string path_;
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_FREEZER_H_
