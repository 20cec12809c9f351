// SPDX-License-Identifier: Apache-2.0
// io_uring by its system calls, one operation at a time.
#ifndef TESTS_INTEGRATION_TRACEES_RING_H_
#define TESTS_INTEGRATION_TRACEES_RING_H_

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace utrace::test {

// Ends the program where there is none.
class Ring {
 public:
  // IORING_SETUP_*
  explicit Ring(unsigned flags = 0) {
    params_.flags = flags;
    fd_ = static_cast<int>(syscall(SYS_io_uring_setup, 1, &params_));
    if (fd_ < 0) std::exit(errno);
    // IORING_FEAT_SINGLE_MMAP: both rings lie in one mapping, in every kernel we know.
    const size_t size = params_.cq_off.cqes + params_.cq_entries * sizeof(io_uring_cqe);
    ring_ = Map(size, IORING_OFF_SQ_RING);
    entry_ = reinterpret_cast<io_uring_sqe*>(Map(sizeof(io_uring_sqe), IORING_OFF_SQES));
  }
  ~Ring() { close(fd_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  void PrepareRead(int fd, char* byte) {
    io_uring_sqe entry{};
    entry.opcode = IORING_OP_READ;
    entry.fd = fd;
    entry.addr = reinterpret_cast<__u64>(byte);
    entry.len = 1;
    entry.off = static_cast<__u64>(-1);
    Prepare(entry);
  }

  // IOSQE_ASYNC: by a worker.
  void PrepareOpen(const char* path, unsigned flags) {
    io_uring_sqe entry{};
    entry.opcode = IORING_OP_OPENAT;
    entry.flags = static_cast<__u8>(flags);
    entry.fd = AT_FDCWD;
    entry.addr = reinterpret_cast<__u64>(path);
    Prepare(entry);
  }

  long SubmitAndWait() const {
    const unsigned flags =
        IORING_ENTER_GETEVENTS | (params_.flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0);
    const long done = syscall(SYS_io_uring_enter, fd_, 1, 1, flags, nullptr, 0);
    return done < 0 ? -errno : done;
  }

  int Result() const { return At<io_uring_cqe>(params_.cq_off.cqes)[0].res; }

 private:
  void Prepare(const io_uring_sqe& entry) {
    *entry_ = entry;
    At<unsigned>(params_.sq_off.array)[0] = 0;
    std::atomic_ref(*At<unsigned>(params_.sq_off.tail)).fetch_add(1);
  }

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

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_TRACEES_RING_H_
