// SPDX-License-Identifier: Apache-2.0
// PID 1 of the guest: from the initramfs to the root disk, then one job, its verdict, and
// power-off.
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "vm/init/command.h"
#include "vm/init/guest.h"
#include "vm/init/job.h"

namespace utrace::vm {
namespace {

constexpr char kRoot[] = "/root";

// The root first: the others lie on it.
void MountDisks(const Job& job) {
  for (const DiskMount& disk : job.mounts) {
    const std::string device = FindDisk(disk.serial);
    const std::string where = disk.where == "/" ? kRoot : kRoot + disk.where;
    MountOrFail(device.c_str(), where.c_str(), "ext4", nullptr);
  }
}

void EnterRoot() {
  for (const char* where : {"/dev", "/proc", "/sys"}) {
    const std::string target = kRoot + std::string(where);
    mkdir(target.c_str(), 0755);
    if (mount(where, target.c_str(), nullptr, MS_MOVE, nullptr) != 0) FailErrno("move " + target);
  }
  if (chdir(kRoot) != 0) FailErrno("enter the root");
  if (mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) FailErrno("move the root");
  if (chroot(".") != 0 || chdir("/") != 0) FailErrno("change the root");
}

void MountPseudo() {
  MountOrFail("devpts", "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666");
  MountOrFail("tmpfs", "/dev/shm", "tmpfs", "mode=1777");
  MountOrFail("tmpfs", "/run", "tmpfs", "mode=755");
  MountOrFail("tmpfs", "/tmp", "tmpfs", "mode=1777");
  MountIfKnown("cgroup2", "/sys/fs/cgroup");
  MountIfKnown("debugfs", "/sys/kernel/debug");
  MountIfKnown("tracefs", "/sys/kernel/tracing");
  MountIfKnown("securityfs", "/sys/kernel/security");
  MountIfKnown("bpf", "/sys/fs/bpf");
  symlink("/proc/self/fd", "/dev/fd");
  symlink("/proc/self/fd/0", "/dev/stdin");
  symlink("/proc/self/fd/1", "/dev/stdout");
  symlink("/proc/self/fd/2", "/dev/stderr");
}

void BringUpLoopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ifreq request = {};
  std::strncpy(request.ifr_name, "lo", sizeof(request.ifr_name) - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) FailErrno("bring up the loopback interface");
  close(fd);
}

void LoadOwnModule(const Job& job) {
  if (job.module.empty()) return;
  errno = LoadModule(job.module);
  if (errno != 0) FailErrno("load the module " + job.module);
}

int Main() {
  MountOrFail("devtmpfs", "/dev", "devtmpfs", nullptr);
  MountOrFail("proc", "/proc", "proc", nullptr);
  MountOrFail("sysfs", "/sys", "sysfs", nullptr);
  LoadBootModules("/modules");
  const int verdict = OpenPort("verdict");
  SetVerdictPort(verdict);
  const int out = OpenPort("out");
  const Job job = ReadJob("/job");
  MountDisks(job);
  EnterRoot();
  MountPseudo();
  BringUpLoopback();
  sethostname("guest", 5);
  utsname names;
  uname(&names);
  // From here on vm/run never boots anew: what happens now may be our doing.
  Tell(std::string("guest-begin ") + names.release);
  LoadOwnModule(job);
  const Ending ending =
      job.shell ? RunShell(job, OpenPort("in"), out) : RunCommand(job, out, verdict);
  Tell("guest-end " + std::to_string(ending.status) + " " + std::to_string(ending.output_bytes));
  PowerOff();
}

}  // namespace
}  // namespace utrace::vm

int main() { return utrace::vm::Main(); }
