// SPDX-License-Identifier: Apache-2.0
// Becoming somebody else, in a child of the test's.  False, or -1, if the kernel said no.
#ifndef TESTS_INTEGRATION_IDENTITY_H_
#define TESTS_INTEGRATION_IDENTITY_H_

#include <sys/types.h>

#include <vector>

namespace utrace::test {

constexpr uid_t kNobody = 65534;
constexpr uid_t kSomebody = 1000;

// That user and his group, with no capability but @kept; dumpable again, as after his own exec.
bool BecomeUser(uid_t uid, const std::vector<int>& kept = {});
// Root without one of its capabilities.
bool DropCapability(int capability);
// Root of a new user namespace, in which nobody but the caller is mapped.
bool BecomeRootOfANamespace();

// Yama's setting as it was, put back at the end.
class YamaScope {
 public:
  YamaScope();
  ~YamaScope();
  YamaScope(const YamaScope&) = delete;
  YamaScope& operator=(const YamaScope&) = delete;

  static void Set(int scope);
  static int Get();

 private:
  int before_;
};

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_IDENTITY_H_
