// SPDX-License-Identifier: Apache-2.0
#include "vm/init/guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace utrace::vm {
namespace {

// PID 1 is one thread and lives as long as the guest; Fail() must reach the host from anywhere.
int verdict_port = -1;

constexpr int kPollMicroseconds = 20'000;
// Under emulation a probe of all disks may take seconds; vm/run bounds the boot as a whole.
constexpr int kPolls = 1500;

std::vector<std::string> List(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::string FirstLine(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char buffer[256];
  const ssize_t size = read(fd, buffer, sizeof(buffer));
  close(fd);
  if (size <= 0) return "";
  const std::string text(buffer, static_cast<size_t>(size));
  return text.substr(0, text.find('\n'));
}

}  // namespace

bool WriteAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

void SetVerdictPort(int fd) { verdict_port = fd; }

void Tell(const std::string& line) {
  const std::string text = line + "\n";
  WriteAll(verdict_port, text.data(), text.size());
}

void PowerOff() {
  // A write to a port returns when the data is queued (up to 4 MB of it), and a queue does not
  // outlive the guest.
  char word;
  if (verdict_port >= 0 && read(verdict_port, &word, 1) < 0) {
    // The host sees what is missing by the number of bytes it was told.
  }
  sync();
  reboot(RB_POWER_OFF);
  // Not reached on a machine that can be switched off.
  for (;;) pause();
}

void Fail(const std::string& what) {
  if (verdict_port >= 0) {
    Tell("guest-fail " + what);
  } else {
    std::fprintf(stderr, "utrace-init: %s\n", what.c_str());
  }
  PowerOff();
}

void FailErrno(const std::string& what) { Fail(what + ": " + std::strerror(errno)); }

std::string ReadFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) FailErrno("open " + path);
  std::string text;
  char buffer[4096];
  ssize_t size;
  while ((size = read(fd, buffer, sizeof(buffer))) > 0)
    text.append(buffer, static_cast<size_t>(size));
  if (size < 0) FailErrno("read " + path);
  close(fd);
  return text;
}

void MountOrFail(const char* source, const char* where, const char* type, const char* options) {
  mkdir(where, 0755);
  if (mount(source, where, type, 0, options) != 0) {
    FailErrno(std::string("mount ") + type + " on " + where);
  }
}

void MountIfKnown(const char* type, const char* where) {
  mkdir(where, 0755);
  if (mount(type, where, type, 0, nullptr) != 0 && errno != ENODEV && errno != ENOENT) {
    FailErrno(std::string("mount ") + type + " on " + where);
  }
}

int LoadModule(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const long result = syscall(SYS_finit_module, fd, "", 0);
  const int error = result < 0 ? errno : 0;
  close(fd);
  return error;
}

void LoadBootModules(const std::string& folder) {
  for (const std::string& name : List(folder)) {
    errno = LoadModule(folder + "/" + name);
    if (errno != 0 && errno != EEXIST) FailErrno("load " + name);
  }
}

std::string FindDisk(const std::string& serial) {
  for (int i = 0; i < kPolls; ++i) {
    for (const std::string& name : List("/sys/block")) {
      if (FirstLine("/sys/block/" + name + "/serial") != serial) continue;
      std::string device = "/dev/" + name;
      if (access(device.c_str(), F_OK) == 0) return device;
    }
    usleep(kPollMicroseconds);
  }
  Fail("no disk with serial number " + serial);
}

int OpenPort(const std::string& name) {
  for (int i = 0; i < kPolls; ++i) {
    for (const std::string& port : List("/sys/class/virtio-ports")) {
      if (FirstLine("/sys/class/virtio-ports/" + port + "/name") != name) continue;
      const int fd = open(("/dev/" + port).c_str(), O_RDWR | O_CLOEXEC);
      if (fd >= 0) return fd;
    }
    usleep(kPollMicroseconds);
  }
  Fail("no port named " + name);
}

}  // namespace utrace::vm
