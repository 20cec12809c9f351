// SPDX-License-Identifier: Apache-2.0
#include "bench/control/caller.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "bench/control/cpu.h"
#include "bench/control/series.h"
#include "bench/control/ticks.h"
#include "userspace/base/status_macros.h"

namespace utrace::bench {
namespace {

constexpr int kBatches = 51;
constexpr int kCalls = 200;

}  // namespace

absl::StatusOr<std::unique_ptr<Caller>> Caller::Start(const std::function<int()>& prepare) {
  std::unique_ptr<Caller> caller(new Caller);
  ASSIGN_OR_RETURN(Child child, Child::Run([&]() -> int {
                     if (const int failed = prepare(); failed != 0) return failed;
                     caller->Serve();
                   }));
  caller->child_.emplace(std::move(child));
  return caller;
}

absl::StatusOr<double> Caller::Cost() {
  const uint64_t asked = ++*asked_;
  RETURN_IF_ERROR(answered_.WaitFor(asked, "the calling process"));
  return static_cast<double>(*ticks_) / kCalls;
}

void Caller::Serve() {
  for (;;) {
    while (*answered_ == *asked_) usleep(1000);
    Series series;
    for (int i = 0; i < kBatches; ++i) {
      const Ahead ahead;
      const uint64_t begin = Ticks();
      for (int call = 0; call < kCalls; ++call) syscall(SYS_getpid);
      series.Add(static_cast<double>(Ticks() - begin));
    }
    *ticks_ = static_cast<uint64_t>(series.Median());
    ++*answered_;
  }
}

}  // namespace utrace::bench
