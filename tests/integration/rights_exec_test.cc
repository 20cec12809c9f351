// SPDX-License-Identifier: Apache-2.0
// Whom an engine may follow into another image: at each exec its owner's rights are asked anew.
#include <elf.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/device.h"
#include "tests/integration/harness.h"
#include "tests/integration/identity.h"

namespace utrace::test {
namespace {

constexpr uint32_t kEvents =
    UTRACE_EVENT(EXEC) | UTRACE_EVENT(EXIT) | UTRACE_EVENT(SIGNAL) | UTRACE_EVENT_SYSCALL;

// Another program, to be made more of.
class Image {
 public:
  explicit Image(mode_t mode = 0755, uid_t owner = 0, gid_t group = 0) {
    std::ifstream from(TraceePath("actor"), std::ios::binary);
    Write({std::istreambuf_iterator<char>(from), {}});
    EXPECT_EQ(chown(path_.c_str(), owner, group), 0);
    EXPECT_EQ(chmod(path_.c_str(), mode), 0);
  }
  ~Image() { unlink(path_.c_str()); }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  const std::string& path() const { return path_; }
  void GiveCapability(int capability) const {
    vfs_cap_data data{};
    data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
    data.data[CAP_TO_INDEX(capability)].permitted = CAP_TO_MASK(capability);
    EXPECT_EQ(setxattr(path_.c_str(), "security.capability", &data, XATTR_CAPS_SZ_2, 0), 0);
  }
  // Its load fails when the old image is gone already and the new rights are given: a segment says
  // that it has more in the file than in memory.
  void BreakLateInItsLoad() const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    Elf64_Ehdr header{};
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    for (int i = 0; i < header.e_phnum; ++i) {
      const auto at = static_cast<std::streamoff>(header.e_phoff + i * sizeof(Elf64_Phdr));
      Elf64_Phdr segment{};
      file.seekg(at);
      file.read(reinterpret_cast<char*>(&segment), sizeof segment);
      if (segment.p_type != PT_LOAD) continue;
      segment.p_memsz = segment.p_filesz - 1;
      file.seekp(at);
      file.write(reinterpret_cast<const char*>(&segment), sizeof segment);
      return;
    }
    ADD_FAILURE() << "nothing of it is loaded";
  }

 private:
  void Write(const std::vector<char>& bytes) const {
    std::ofstream to(path_, std::ios::binary);
    to.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    EXPECT_TRUE(to.flush());
  }

  const std::string path_ = "/tmp/image-" + std::to_string(getpid());
};

// What becomes of an engine, its owner being @kept's nobody, when his own program execs @path:
// 'k' kept, 'g' gone before anything was told; a digit for what should not happen.
char Follows(const std::string& path, const std::vector<int>& kept, int scope = 0) {
  const YamaScope restored;
  YamaScope::Set(scope);
  Fork user([&] {
    if (!BecomeUser(kNobody, kept)) return '1';
    Tracee tracee({"actor"});
    Device device = Device::Open();
    const int64_t engine = device.AttachForCalls(tracee.pid(), kEvents, {SYS_execve, SYS_geteuid});
    if (engine < 0) return '2';
    tracee.Tell("exec " + path);
    const utrace_notice entry = device.Next();
    if (entry.nr != SYS_execve || device.Resume(entry) != 0) return '3';
    const utrace_notice next = device.Next();
    if (next.type == UTRACE_NOTICE_GONE) {
      if (next.reason != UTRACE_GONE_EXEC) return '4';
      if (device.Next(200).type != 0) return '5';
      user_regs_struct regs{};
      if (device.Regs(engine, tracee.pid(), &regs) != -ESRCH) return '6';
      return tracee.Hear() == "ready" ? 'g' : '7';
    }
    if (next.event != UTRACE_EVENT(EXEC) || device.Resume(next) != 0) return '8';
    const utrace_notice exit = device.Next();
    if (exit.event != UTRACE_EVENT(SYSCALL_EXIT) || device.Resume(exit) != 0) return '9';
    return tracee.Hear() == "ready" ? 'k' : '0';
  });
  const int status = user.Wait(20'000);
  return WIFEXITED(status) ? static_cast<char>(WEXITSTATUS(status)) : '!';
}

TEST(RightsAtExec, SmokeAPlainProgram) {
  const Image image;
  EXPECT_EQ(Follows(image.path(), {}), 'k');
  EXPECT_EQ(Follows(image.path(), {}, 1), 'k') << "of one's own offspring";
}

TEST(RightsAtExec, SmokeSetUid) {
  const Image image(04755);
  EXPECT_EQ(Follows(image.path(), {}), 'g');
  EXPECT_EQ(Follows(image.path(), {CAP_SYS_PTRACE}), 'k');
}

TEST(RightsAtExec, SetGid) {
  const Image image(02755);
  EXPECT_EQ(Follows(image.path(), {}), 'g');
  EXPECT_EQ(Follows(image.path(), {CAP_SYS_PTRACE}), 'k');
}

// Set-id, and nothing gained by it.
TEST(RightsAtExec, SetUidToWhoItIs) {
  const Image image(06755, kNobody, kNobody);
  EXPECT_EQ(Follows(image.path(), {}), 'k');
}

TEST(RightsAtExec, FileCapabilities) {
  const Image image;
  image.GiveCapability(CAP_NET_ADMIN);
  EXPECT_EQ(Follows(image.path(), {}), 'g');
  EXPECT_EQ(Follows(image.path(), {CAP_SYS_PTRACE}), 'k');
}

// A program that its user may run and not read.
TEST(RightsAtExec, Unreadable) {
  const Image image(0711);
  EXPECT_EQ(Follows(image.path(), {}), 'g');
  EXPECT_EQ(Follows(image.path(), {CAP_SYS_PTRACE}), 'k');
}

// The setting that counts is the one of now.
TEST(RightsAtExec, ByYamasSettingOfNow) {
  const Image image;
  const YamaScope restored;
  YamaScope::Set(0);
  for (const bool capable : {false, true}) {
    Fork user([&] {
      if (!BecomeUser(kNobody, capable ? std::vector<int>{CAP_SYS_PTRACE} : std::vector<int>{}))
        return 1;
      Tracee tracee({"actor"});
      Device device = Device::Open();
      if (device.AttachForCalls(tracee.pid(), UTRACE_EVENT(SYSCALL_ENTRY) | UTRACE_EVENT(EXEC),
                                {SYS_execve}) < 0)
        return 2;
      tracee.Tell("exec " + image.path());
      const utrace_notice entry = device.Next();
      if (entry.nr != SYS_execve) return 3;
      // The test has changed the setting by now.
      raise(SIGSTOP);
      if (device.Resume(entry) != 0) return 4;
      const utrace_notice next = device.Next();
      if (!capable) return next.type == UTRACE_NOTICE_GONE ? 0 : 5;
      if (next.event != UTRACE_EVENT(EXEC) || device.Resume(next) != 0) return 6;
      return tracee.Hear() == "ready" ? 0 : 7;
    });
    ASSERT_TRUE(Eventually([&] { return StateOf(user.pid()) == 'T'; }));
    YamaScope::Set(2);
    kill(user.pid(), SIGCONT);
    EXPECT_EQ(user.Wait(20'000), 0) << capable;
    YamaScope::Set(0);
  }
}

// H-3: an exec that fails after it has changed the rights never gets to where execs are told.
TEST(RightsAtExec, ThatFailsLate) {
  const Image image(04755);
  image.BreakLateInItsLoad();
  for (const bool capable : {false, true}) {
    Fork user([&] {
      if (!BecomeUser(kNobody, capable ? std::vector<int>{CAP_SYS_PTRACE} : std::vector<int>{}))
        return 1;
      Tracee tracee({"actor"});
      Device device = Device::Open();
      if (device.AttachForCalls(tracee.pid(), kEvents, {SYS_execve}) < 0) return 2;
      tracee.Tell("exec " + image.path());
      const utrace_notice entry = device.Next();
      if (entry.nr != SYS_execve || device.Resume(entry) != 0) return 3;
      utrace_notice next = device.Next();
      if (!capable) {
        if (next.type != UTRACE_NOTICE_GONE || next.reason != UTRACE_GONE_EXEC) return 4;
        return tracee.Wait() == SIGSEGV && device.Next(200).type == 0 ? 0 : 5;
      }
      // Of one that may stay the exit is told, with the signal that the kernel ends it by.
      while (next.event != UTRACE_EVENT(EXIT)) {
        if (next.type != UTRACE_NOTICE_HELD || device.Resume(next) != 0) return 6;
        next = device.Next();
      }
      if ((next.result & 0x7f) != SIGSEGV || device.Resume(next) != 0) return 7;
      return (tracee.Wait() & 0x7f) == SIGSEGV ? 0 : 8;
    });
    EXPECT_EQ(user.Wait(20'000), 0) << capable;
  }
}

}  // namespace
}  // namespace utrace::test
