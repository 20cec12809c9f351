// SPDX-License-Identifier: Apache-2.0
// vcpu: a virtual machine that counts for ever, in one KVM_RUN.  Says "ready", then where in its
// memory the count is, and where the number of times that KVM_RUN has returned.
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

constexpr uint64_t kCode = 0x1000;
constexpr uint64_t kCount = 0x2000;
constexpr size_t kMemory = 0x4000;
// incl (0x2000); jmp back, in real mode
constexpr uint8_t kProgram[] = {0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf9};

volatile uint64_t returns;

int Fail(const char* what) {
  std::perror(what);
  return 1;
}

}  // namespace

int main() {
  const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) return Fail("vcpu: open /dev/kvm");
  const int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return Fail("vcpu: make a machine");
  auto* const memory = static_cast<uint8_t*>(
      mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::memcpy(memory + kCode, kProgram, sizeof kProgram);
  kvm_userspace_memory_region region{};
  region.memory_size = kMemory;
  region.userspace_addr = reinterpret_cast<uintptr_t>(memory);
  if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0) return Fail("vcpu: give it memory");
  const int cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  if (cpu < 0) return Fail("vcpu: make a processor");
  const auto room = static_cast<size_t>(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
  mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  kvm_sregs sregs{};
  ioctl(cpu, KVM_GET_SREGS, &sregs);
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  ioctl(cpu, KVM_SET_SREGS, &sregs);
  kvm_regs regs{};
  regs.rip = kCode;
  regs.rflags = 2;
  if (ioctl(cpu, KVM_SET_REGS, &regs) != 0) return Fail("vcpu: set its registers");
  std::printf("ready\n%" PRIuPTR " %" PRIuPTR "\n", reinterpret_cast<uintptr_t>(memory + kCount),
              reinterpret_cast<uintptr_t>(&returns));
  std::fflush(stdout);
  for (;;) {
    // EINTR is a return, too.
    if (ioctl(cpu, KVM_RUN, 0) != 0 && errno != EINTR) return Fail("vcpu: run it");
    returns = returns + 1;
  }
}
