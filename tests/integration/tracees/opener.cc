// SPDX-License-Identifier: Apache-2.0
// opener ways DIR: opens DIR/shut/file in all ways there are, and says what each gave. DIR/link
// leads to it, DIR/hard is the same file. opener race DIR TRIES: opens DIR/free/file while a thread
// writes "shut" over "free" and back, and says how often it got the one that is shut.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "tests/integration/tracees/ring.h"

namespace {

using utrace::test::Ring;

// 0, or an errno.
int Opened(int fd) {
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

int Done(int result) { return result == 0 ? 0 : errno; }

int Moved(const std::string& from, const std::string& to, unsigned flags) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) return errno;
  return Done(renameat2(AT_FDCWD, to.c_str(), AT_FDCWD, from.c_str(), flags));
}

int ByRing(const std::string& path, unsigned setup, unsigned flags) {
  Ring ring(setup);
  ring.PrepareOpen(path.c_str(), flags);
  const long submitted = ring.SubmitAndWait();
  if (submitted < 0) return static_cast<int>(-submitted);
  if (ring.Result() < 0) return -ring.Result();
  close(ring.Result());
  return 0;
}

int ByHandle(const std::string& path) {
  union {
    file_handle handle;
    char room[sizeof(file_handle) + MAX_HANDLE_SZ];
  } at{};
  at.handle.handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (name_to_handle_at(AT_FDCWD, path.c_str(), &at.handle, &mount, 0) != 0) return errno;
  const int root = open("/tmp", O_RDONLY | O_DIRECTORY);
  const int error = Opened(open_by_handle_at(root, &at.handle, O_RDONLY));
  close(root);
  return error;
}

int ByReopening(const std::string& path) {
  const int place = open(path.c_str(), O_PATH);
  if (place < 0) return errno;
  const int error = Opened(open(("/proc/self/fd/" + std::to_string(place)).c_str(), O_RDONLY));
  close(place);
  return error;
}

// The program's; its exit status is an errno.
template <typename Try>
int InChild(Try attempt) {
  const pid_t child = fork();
  if (child == 0) _exit(attempt());
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int ByMount(const std::string& dir) {
  return InChild([&] {
    const std::string other = dir + "/free";
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount((dir + "/shut/deep").c_str(), other.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return errno;
    }
    return Opened(open((other + "/file").c_str(), O_RDONLY));
  });
}

int ByExec(const std::string& path) {
  return InChild([&] {
    execl(path.c_str(), path.c_str(), nullptr);
    return errno;
  });
}

void TryWays(const std::string& dir) {
  const std::string file = dir + "/shut/file";
  const auto say = [](const char* way, int error) { std::printf("%s=%d\n", way, error); };
  const int above = open((dir + "/free").c_str(), O_RDONLY | O_DIRECTORY);
  say("free", Opened(open((dir + "/free/file").c_str(), O_RDONLY)));
  say("name", Opened(open(file.c_str(), O_RDONLY)));
  say("write", Opened(open(file.c_str(), O_WRONLY)));
  say("create", Opened(open((dir + "/shut/new").c_str(), O_WRONLY | O_CREAT, 0600)));
  say("deep", Opened(open((dir + "/shut/deep/file").c_str(), O_RDONLY)));
  say("list", Opened(open((dir + "/shut").c_str(), O_RDONLY | O_DIRECTORY)));
  say("link", Opened(open((dir + "/link").c_str(), O_RDONLY)));
  say("dots", Opened(openat(above, "../shut/../shut/file", O_RDONLY)));
  say("reopen", ByReopening(file));
  say("handle", ByHandle(file));
  say("mount", ByMount(dir));
  say("exec", ByExec(file));
  say("ring", ByRing(file, 0, 0));
  say("worker", ByRing(file, 0, IOSQE_ASYNC));
  say("poller", ByRing(file, IORING_SETUP_SQPOLL, 0));
  say("ring-free", ByRing(dir + "/free/file", 0, IOSQE_ASYNC));
  // Each of these undoes what it did.
  say("hard", Done(link(file.c_str(), (dir + "/free/hard").c_str())));
  unlink((dir + "/free/hard").c_str());
  say("rename", Moved(file, dir + "/shut/other", 0));
  say("move", Moved(file, dir + "/free/other", 0));
  say("swap", Moved(dir + "/free/file", file, RENAME_EXCHANGE));
  say("away", Moved(dir + "/shut", dir + "/free/shut", 0));
}

void Race(const std::string& dir, long tries) {
  struct stat shut {};
  stat((dir + "/shut/file").c_str(), &shut);
  alignas(64) char path[128] = {};
  // So that the word lies at a multiple of its size.
  const size_t at = (dir.size() + 1 + 3) / 4 * 4;
  std::snprintf(path, sizeof(path), "%s%s/free/file", dir.c_str(),
                std::string(at - dir.size() - 1, '/').c_str());
  uint32_t words[2];
  std::memcpy(&words[0], "free", 4);
  std::memcpy(&words[1], "shut", 4);
  std::atomic<bool> over = false;
  std::atomic_ref<uint32_t> word(*reinterpret_cast<uint32_t*>(path + at));
  std::thread writer([&] {
    for (unsigned i = 0; !over; ++i) word = words[i % 2];
  });
  long opened = 0, refused = 0, around = 0;
  for (long i = 0; i < tries; ++i) {
    const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
    struct stat got {};
    if (fd < 0) {
      ++refused;
    } else {
      fstat(fd, &got);
      ++(got.st_ino == shut.st_ino ? around : opened);
      close(fd);
    }
  }
  over = true;
  writer.join();
  std::printf("opened=%ld refused=%ld around=%ld\n", opened, refused, around);
}

}  // namespace

int main(int, char** argv) {
  if (std::string(argv[1]) == "ways") TryWays(argv[2]);
  if (std::string(argv[1]) == "race") Race(argv[2], std::atol(argv[3]));
}
