// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/process_info.h"

#include <dirent.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"

namespace utrace {
namespace {

constexpr unsigned kKernelThreadFlag = 0x00200000;  // PF_KTHREAD
constexpr size_t kCommLength = 15;

// Fields of /proc/PID/stat after "pid (comm)", counted from the state.
enum StatField { kState = 0, kPpid = 1, kFlags = 6, kStartTime = 19, kStatFields = 20 };

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// False if it is not there (any more).
bool ReadFile(const std::string& path, std::string* text) {
  std::ifstream file(path);
  if (!file) return false;
  text->assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return !file.bad() && !text->empty();
}

absl::StatusOr<std::vector<pid_t>> NumbersIn(const std::string& path) {
  std::unique_ptr<DIR, DirCloser> dir(::opendir(path.c_str()));
  if (!dir) return LastErrno(absl::StrCat("list ", path));
  std::vector<pid_t> numbers;
  while (const dirent* entry = ::readdir(dir.get())) {
    pid_t number = 0;
    if (absl::SimpleAtoi(entry->d_name, &number)) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// The first number after "<name>:" in the text of a status file.
int64_t StatusField(absl::string_view text, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, name) || line.size() <= name.size() || line[name.size()] != ':') {
      continue;
    }
    const std::vector<absl::string_view> words =
        absl::StrSplit(line.substr(name.size() + 1), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t value = 0;
    return !words.empty() && absl::SimpleAtoi(words[0], &value) ? value : 0;
  }
  return 0;
}

}  // namespace

absl::StatusOr<ThreadInfo> ReadThread(pid_t tid) {
  const std::string directory = absl::StrCat("/proc/", tid);
  std::string stat;
  std::string status;
  if (!ReadFile(absl::StrCat(directory, "/stat"), &stat) ||
      !ReadFile(absl::StrCat(directory, "/status"), &status)) {
    return ErrnoStatus(ESRCH, absl::StrCat("find thread ", tid));
  }
  // A comm may hold anything, parentheses and newlines too.
  const size_t open = stat.find('(');
  const size_t close = stat.rfind(')');
  std::vector<absl::string_view> fields;
  if (open != std::string::npos && close != std::string::npos && open < close) {
    fields = absl::StrSplit(absl::string_view(stat).substr(close + 1), absl::ByAnyChar(" \n"),
                            absl::SkipEmpty());
  }
  ThreadInfo info;
  unsigned flags = 0;
  if (fields.size() < kStatFields || !absl::SimpleAtoi(fields[kPpid], &info.ppid) ||
      !absl::SimpleAtoi(fields[kFlags], &flags) ||
      !absl::SimpleAtoi(fields[kStartTime], &info.start_ticks)) {
    return absl::InternalError(absl::StrCat("read ", directory, "/stat: not in the known form"));
  }
  info.tid = tid;
  info.comm = stat.substr(open + 1, close - open - 1);
  info.state = fields[kState][0];
  info.kernel_thread = flags & kKernelThreadFlag;
  info.tgid = static_cast<pid_t>(StatusField(status, "Tgid"));
  info.tracer = static_cast<pid_t>(StatusField(status, "TracerPid"));
  struct stat owner {};
  if (::stat(directory.c_str(), &owner) == 0) info.uid = owner.st_uid;
  // An undumpable process's files are root's; its status tells more.
  const std::vector<absl::string_view> lines = absl::StrSplit(status, '\n');
  for (const absl::string_view line : lines) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, '\t');
    if (words.size() >= 3 && words[0] == "Uid:") (void)absl::SimpleAtoi(words[2], &info.uid);
  }
  return info;
}

absl::StatusOr<std::vector<pid_t>> ThreadsOf(pid_t pid) {
  absl::StatusOr<std::vector<pid_t>> threads = NumbersIn(absl::StrCat("/proc/", pid, "/task"));
  if (threads.ok() && !threads->empty()) return threads;
  return ErrnoStatus(ESRCH, absl::StrCat("find process ", pid));
}

std::vector<pid_t> DescendantsOf(pid_t pid) {
  const absl::StatusOr<std::vector<pid_t>> all = NumbersIn("/proc");
  if (!all.ok()) return {};
  std::multimap<pid_t, pid_t> children;
  for (const pid_t process : *all) {
    const absl::StatusOr<ThreadInfo> info = ReadThread(process);
    if (info.ok()) children.emplace(info->ppid, process);
  }
  std::vector<pid_t> found{pid};
  std::set<pid_t> seen{pid};
  for (size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = children.equal_range(found[i]);
    for (auto it = first; it != last; ++it) {
      if (seen.insert(it->second).second) found.push_back(it->second);
    }
  }
  found.erase(found.begin());
  return found;
}

int CallInProgress(pid_t tid) {
  std::string text;
  int nr = -1;
  if (!ReadFile(absl::StrCat("/proc/", tid, "/syscall"), &text)) return -1;
  const std::vector<absl::string_view> words = absl::StrSplit(text, absl::MaxSplits(' ', 1));
  return absl::SimpleAtoi(words[0], &nr) ? nr : -1;
}

std::string ExecutableOf(pid_t pid) {
  char path[PATH_MAX];
  const ssize_t length =
      ::readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), path, sizeof(path));
  return length < 0 ? "" : std::string(path, static_cast<size_t>(length));
}

std::string ProcessName(pid_t pid, absl::string_view comm) {
  std::string name(comm);
  std::string arguments;
  if (comm.size() == kCommLength && ReadFile(absl::StrCat("/proc/", pid, "/cmdline"), &arguments)) {
    // Those who rewrite it, as our holder does, put all into the first argument.
    const std::string first(arguments, 0, std::min(arguments.find(' '), arguments.find('\0')));
    const std::string base = first.substr(first.rfind('/') + 1);
    if (absl::StartsWith(base, comm)) name = base;
  }
  return absl::StrCat(name, " (", pid, ")");
}

}  // namespace utrace
