// SPDX-License-Identifier: Apache-2.0
// What stop and hold have in common: engines that hold threads for as long as this process keeps
// its session, and the telling of it.
#ifndef UTRACE_UTRACECTL_HOLDING_H_
#define UTRACE_UTRACECTL_HOLDING_H_

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/session.h"

namespace utrace {

// Of --handover.
inline constexpr char kHandoverHelp[] =
    "leave a held thread to a debugger that attaches to it, in its stop; else that waits";

using LinePrinter = std::function<void(absl::string_view line)>;

struct HoldRules {
  // By asynchronous stops, not at events; the module stops those that join too, before they run.
  bool stop_all = false;
  // A thread is held at an event once; let go, it is asked for nothing more.
  bool once = false;
  // A line for each thread held.
  bool tell_each = true;
  // Of a thread held at an event: false lets it go on at once. None given: all stay.
  std::function<bool(const utrace_notice&)> keep;
};

class Holding {
 public:
  enum class End {
    kDone,  // what was waited for has come
    kTimeout,
    kAskedToEnd,   // Ctrl-C and the like
    kNothingLeft,  // all threads ended, or were let go by others
  };

  // From here on SIGINT, SIGTERM, SIGHUP and SIGCHLD come to Run() only.
  static absl::StatusOr<std::unique_ptr<Holding>> Create(std::unique_ptr<Session> session,
                                                         HoldRules rules, LinePrinter print);
  ~Holding();

  Session& GetSession() { return *session_; }

  // Its threads are watched from here on.
  absl::Status Add(const Engine& engine);
  // Stops all threads of all engines; Run() tells as they come by.
  absl::Status StopAll();

  // Handles what comes until `done`, which is asked after whatever came and every `tick`.
  absl::StatusOr<End> Run(const std::function<bool()>& done, absl::Time deadline,
                          absl::Duration tick = absl::Milliseconds(500));

  bool AnyHeld() const { return Count(State::kHeld) > 0; }
  size_t Watched() const { return threads_.size(); }
  // Those that are to be held and are not yet.
  std::vector<pid_t> Armed() const;
  std::vector<pid_t> Held() const;
  // "7" or "7, 8".
  std::string EngineNumbers() const;

  // Detaches all engines, and says who holds on.
  void LetGo();

 private:
  enum class State { kArmed, kHeld, kLetGo };
  using Key = std::pair<uint64_t, pid_t>;  // engine, thread

  Holding(std::unique_ptr<Session> session, HoldRules rules, LinePrinter print)
      : session_(std::move(session)), rules_(std::move(rules)), print_(std::move(print)) {}

  absl::Status CatchSignals();
  absl::StatusOr<bool> WaitForAnything(absl::Duration timeout);
  absl::Status ReadNotices();
  absl::Status Handle(const utrace_notice& notice);
  absl::Status HandleHeld(Engine& engine, const utrace_notice& notice);
  void HandleHandover(const Key& key);
  void HandleGone(const utrace_notice& notice);
  // What a thread is once it is held no more.
  State AfterHold() const;
  absl::Status CheckAgainstModule();
  size_t Count(State state) const;

  std::unique_ptr<Session> session_;
  HoldRules rules_;
  LinePrinter print_;
  std::map<uint64_t, Engine> engines_;
  std::map<Key, State> threads_;
  UniqueFd signals_;
  sigset_t mask_before_{};
  bool asked_to_end_ = false;
  // Others have changed what we hold: the module is to be asked.
  bool doubtful_ = false;
};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_HOLDING_H_
