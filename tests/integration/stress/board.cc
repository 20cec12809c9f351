// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/stress/board.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace utrace::stress {

Board* MapBoard(int fd) {
  void* const map = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) {
    std::perror("stress: map the board");
    std::exit(2);
  }
  return static_cast<Board*>(map);
}

Board* MakeBoard(int* fd) {
  *fd = memfd_create("board", 0);
  if (*fd < 0 || ftruncate(*fd, sizeof(Board)) != 0) {
    std::perror("stress: make the board");
    std::exit(2);
  }
  return MapBoard(*fd);
}

}  // namespace utrace::stress
