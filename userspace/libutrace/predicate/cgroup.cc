// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace {
namespace {

constexpr char kRoot[] = "/sys/fs/cgroup";
// Where systemd has it beside those of version 1.
constexpr char kHybridRoot[] = "/sys/fs/cgroup/unified";
// Of the initial cgroup namespace (PROC_CGROUP_INIT_INO).
constexpr ino_t kInitialNamespace = 0xeffffffb;

bool IsUnified(const char* directory) {
  struct statfs fs {};
  return ::statfs(directory, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

struct Found {
  std::string directory;
  size_t level = 0;
};

absl::StatusOr<Found> FindDirectory(absl::string_view path) {
  const char* const root = IsUnified(kRoot) ? kRoot : kHybridRoot;
  if (!IsUnified(root)) {
    return absl::NotFoundError(absl::StrCat("there is no cgroup2 file system at ", kRoot));
  }
  absl::ConsumePrefix(&path, root);
  const std::vector<absl::string_view> names = absl::StrSplit(path, '/', absl::SkipEmpty());
  if (std::any_of(names.begin(), names.end(),
                  [](absl::string_view name) { return name == "." || name == ".."; })) {
    return absl::InvalidArgumentError("a cgroup's path has no '.' or '..'");
  }
  Found found{root, names.size()};
  for (const absl::string_view name : names) absl::StrAppend(&found.directory, "/", name);
  struct stat status {};
  if (::stat(found.directory.c_str(), &status) != 0 || !IsUnified(found.directory.c_str())) {
    return absl::NotFoundError(absl::StrCat("there is no cgroup ", found.directory));
  }
  if (!S_ISDIR(status.st_mode)) {
    return absl::NotFoundError(absl::StrCat(found.directory, " is no cgroup, but a file of one"));
  }
  return found;
}

}  // namespace

absl::StatusOr<CgroupPlace> FindCgroup(absl::string_view path) {
  ASSIGN_OR_RETURN(const Found found, FindDirectory(path));
  struct stat status {};
  // Elsewhere the root is some other's child, and how deep it lies is not to be learnt.
  if (::stat("/proc/self/ns/cgroup", &status) == 0 && status.st_ino != kInitialNamespace) {
    return absl::FailedPreconditionError("cgroups are told apart in the initial namespace only");
  }
  if (::stat(found.directory.c_str(), &status) != 0) {
    return LastErrno(absl::StrCat("look at ", found.directory));
  }
  // A kernfs inode's number is its cgroup's id.
  return CgroupPlace{status.st_ino, static_cast<uint32_t>(found.level)};
}

absl::StatusOr<UniqueFd> OpenCgroup(absl::string_view path) {
  const absl::StatusOr<Found> found = FindDirectory(path);
  const std::string what = absl::StrCat("choose the processes of the cgroup ", path);
  if (!found.ok()) return ErrnoStatus(ENOENT, what, found.status().message());
  UniqueFd directory(::open(found->directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return LastErrno(what);
  return directory;
}

}  // namespace utrace
