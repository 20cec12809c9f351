// SPDX-License-Identifier: Apache-2.0
// uring FD: reads a byte from FD by io_uring, in one call that waits for it; says what the call and
// the read gave.
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace {

class Ring {
 public:
  Ring() {
    fd_ = static_cast<int>(syscall(SYS_io_uring_setup, 1, &params_));
    if (fd_ < 0) std::exit(errno);
    // IORING_FEAT_SINGLE_MMAP: both rings lie in one mapping, in every kernel we know.
    const size_t size = params_.cq_off.cqes + params_.cq_entries * sizeof(io_uring_cqe);
    ring_ = Map(size, IORING_OFF_SQ_RING);
    entry_ = reinterpret_cast<io_uring_sqe*>(Map(sizeof(io_uring_sqe), IORING_OFF_SQES));
  }

  void PrepareRead(int fd, char* byte) {
    *entry_ = {};
    entry_->opcode = IORING_OP_READ;
    entry_->fd = fd;
    entry_->addr = reinterpret_cast<__u64>(byte);
    entry_->len = 1;
    entry_->off = static_cast<__u64>(-1);
    At<unsigned>(params_.sq_off.array)[0] = 0;
    std::atomic_ref(*At<unsigned>(params_.sq_off.tail)).fetch_add(1);
  }

  long SubmitAndWait() const {
    const long done = syscall(SYS_io_uring_enter, fd_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0);
    return done < 0 ? -errno : done;
  }

  int Result() const { return At<io_uring_cqe>(params_.cq_off.cqes)[0].res; }

 private:
  char* Map(size_t size, off_t offset) const {
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, offset);
    if (at == MAP_FAILED) std::exit(errno);
    return static_cast<char*>(at);
  }

  template <typename T>
  T* At(unsigned offset) const {
    return reinterpret_cast<T*>(ring_ + offset);
  }

  io_uring_params params_{};
  int fd_;
  char* ring_;
  io_uring_sqe* entry_;
};

}  // namespace

int main(int, char** argv) {
  Ring ring;
  char byte = 0;
  ring.PrepareRead(std::atoi(argv[1]), &byte);
  dprintf(1, "ready\n");
  const long submitted = ring.SubmitAndWait();
  dprintf(1, "%ld %d\n", submitted, ring.Result());
}
