// SPDX-License-Identifier: Apache-2.0
// stress: all that the module offers, at once and by chance, for as long as is asked for; each
// round ends with nobody traced, all targets running on, and nothing left behind.  A round's
// chances come again with its seed; how its processes interleave does not.
#include <getopt.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <vector>

#include "tests/integration/identity.h"
#include "tests/integration/stress/crew.h"
#include "tests/integration/stress/fuzz.h"
#include "tests/integration/stress/target.h"
#include "tests/integration/stress/tracer.h"

namespace utrace::stress {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTracers = 3;
constexpr std::chrono::seconds kRound(5);

struct Round {
  bool well;
  uint64_t deeds;  // see Rounds()
};

struct Options {
  uint64_t seed = 1;
  int seconds = 60;
  int points = 50;
};

bool PullTheBrake() {
  return static_cast<bool>(std::ofstream("/sys/class/misc/utrace/detach_all") << 1 << std::flush);
}

void SignalSomebody(Dice* dice, pid_t pid) {
  static constexpr int kSignals[] = {SIGUSR1, SIGUSR2, SIGCHLD, SIGWINCH, SIGCONT, SIGCONT,
                                     SIGCONT, SIGSTOP, SIGTSTP, SIGALRM,  SIGURG};
  kill(pid, dice->Of(kSignals));
}

// What happens to the tracers and to the targets, other than by the device.
void Disturb(Dice* dice, Crew* crew, std::vector<pid_t>* tracers) {
  switch (dice->Below(16)) {
    case 0:
      if (dice->OneIn(4)) crew->Kill(static_cast<int>(dice->Below(kTargets)));
      break;
    case 1:
      if (dice->OneIn(4)) kill(dice->Among(*tracers), SIGKILL);
      break;
    case 2:
      kill(dice->Among(*tracers), dice->OneIn(2) ? SIGSTOP : SIGUSR1);
      break;
    case 3:
      crew->Freeze(true);
      break;
    case 4:
      if (dice->OneIn(20) && !PullTheBrake()) std::perror("stress: pull the brake");
      break;
    case 5:
    case 6:
      crew->SignalAll(SIGCONT);
      break;
    default:
      SignalSomebody(dice, crew->Any());
  }
  for (const pid_t tracer : *tracers) kill(tracer, SIGCONT);
  usleep(static_cast<useconds_t>(dice->Below(10'000)));
  crew->Freeze(false);
}

Round TortureRound(uint64_t seed) {
  Dice dice(seed, 4);
  Crew crew(seed);
  std::vector<pid_t> tracers(kTracers + 1, 0);
  const auto end = Clock::now() + kRound;
  bool well = true;
  int started = 0;
  while (Clock::now() < end) {
    for (int i = 0; i <= kTracers; ++i) {
      if (tracers[i] != 0 && waitpid(tracers[i], nullptr, WNOHANG) != tracers[i]) continue;
      const uint64_t its = dice.Bits() >> 1;
      ++started;
      tracers[i] = StartChild([&] {
        return i == kTracers ? RunDebugger(crew.board(), its) : RunTracer(crew.board(), its);
      });
    }
    Disturb(&dice, &crew, &tracers);
    crew.Replace();
  }
  for (const pid_t tracer : tracers) well &= KillAndReap(tracer);
  well &= crew.RunOn();
  well &= crew.End();
  std::cout << "torture: " << started << " tracers, " << crew.board()->calls << " calls, "
            << crew.board()->answers << " answers, " << crew.deaths() << " targets died\n";
  well &= NothingIsLeft();
  return {well, crew.board()->answers};
}

// One tracer, which dies at some call, or soon after it began.
bool KillPoint(Dice* dice, Crew* crew, uint64_t* died_in_work) {
  Board* const board = crew->board();
  board->calls = 0;
  const uint64_t its = dice->Bits() >> 1;
  const uint64_t point = dice->Below(150);
  const uint64_t later = dice->Below(400);
  const pid_t tracer = StartChild([&] { return RunTracer(board, its); });
  int status = 0;
  bool ended = false;
  const auto patience = Clock::now() + std::chrono::seconds(20);
  while (board->calls < point && !ended) {
    if (Clock::now() > patience) {
      std::cerr << "stress: tracer " << tracer << " does no more calls after " << board->calls
                << ":\n";
      Describe(tracer);
      for (const Board::Target& target : board->targets) Describe(target.pid);
      return false;
    }
    ended = waitpid(tracer, &status, WNOHANG) == tracer;
    crew->Replace();
    crew->SignalAll(SIGCONT);
  }
  const auto moment = Clock::now() + std::chrono::microseconds(later);
  while (Clock::now() < moment) {
  }
  if (!ended) ++*died_in_work;
  const bool reaped = ended || KillAndReap(tracer);
  const bool whole = crew->RunOn();
  const bool clean = NothingIsLeft();
  if (reaped && whole && clean) return true;
  std::cerr << "stress: at call " << point << " of a tracer of seed " << its << "\n";
  return false;
}

int KillPoints(const Options& options) {
  Dice dice(options.seed, 5);
  Crew crew(options.seed);
  uint64_t died = 0;
  std::cout << "kill-points: --seed " << options.seed << std::endl;
  for (int i = 0; i < options.points; ++i)
    if (!KillPoint(&dice, &crew, &died)) return 1;
  if (!crew.End()) return 1;
  if (died == 0) {
    std::cerr << "stress: every tracer had ended before it was killed\n";
    return 1;
  }
  std::cout << "kill-points: " << options.points << ", in " << died << " the tracer was at work\n";
  return 0;
}

// Nobody's fuzzer takes everybody for his target, of whom none is; root's has targets that it may
// destroy.
Round FuzzRound(uint64_t seed) {
  Crew victims(seed, /*quiet=*/true);
  Crew bystanders(seed + 1);
  std::vector<pid_t> strangers = {1, 2, getpid()};
  for (const Board::Target& target : bystanders.board()->targets) strangers.push_back(target.pid);
  const pid_t root = StartChild([&] { return RunFuzzer(victims.board(), {}, seed); });
  const pid_t nobody = StartChild([&] {
    return test::BecomeUser(test::kNobody) ? RunFuzzer(bystanders.board(), strangers, seed) : 1;
  });
  const auto end = Clock::now() + kRound;
  bool well = true;
  while (well && Clock::now() < end) {
    victims.Replace();
    victims.SignalAll(SIGCONT);
    well = bystanders.RunOn();
    usleep(10'000);
  }
  if (!well) std::cerr << "stress: a fuzzer harms whom it may not trace\n";
  for (const pid_t fuzzer : {root, nobody}) {
    int status = 0;
    if (waitpid(fuzzer, &status, WNOHANG) == 0) continue;
    std::cerr << "stress: " << (fuzzer == root ? "root's" : "nobody's")
              << " fuzzer has ended by itself, with status " << status << "\n";
    well = false;
  }
  well &= KillAndReap(nobody);
  well &= KillAndReap(root);
  // What was written into the victims may keep them from running on, and from nothing else.
  well &= victims.End();
  well &= NothingIsLeft();
  return {well, victims.board()->calls};
}

// Until the time is up, each with the next seed. `deed` is what a round has to do, at least once on
// average: by chance, and on a slow kernel, one may do nothing of it.
int Rounds(const Options& options, const char* deed, Round (*run)(uint64_t seed)) {
  const auto end = Clock::now() + std::chrono::seconds(options.seconds);
  uint64_t seed = options.seed;
  uint64_t deeds = 0;
  do {
    std::cout << "round with --seed " << seed << std::endl;
    const Round round = run(seed);
    if (!round.well) return 1;
    deeds += round.deeds;
    ++seed;
  } while (Clock::now() < end);
  const uint64_t rounds = seed - options.seed;
  if (deeds >= rounds) return 0;
  std::cerr << "stress: " << rounds << " rounds and only " << deeds << " " << deed
            << ": too few to show anything\n";
  return 1;
}

constexpr char kUsage[] =
    "stress torture [--seed N] [--seconds N]      tracers, debuggers, signals, deaths, freezes\n"
    "stress fuzz [--seed N] [--seconds N]         calls of the device with arguments by chance\n"
    "stress kill-points [--seed N] [--points N]   a tracer dies at some call, again and again\n";

int Usage() {
  std::cerr << kUsage;
  return 2;
}

int Main(int argc, char** argv) {
  static constexpr option kOptions[] = {{"seed", required_argument, nullptr, 's'},
                                        {"seconds", required_argument, nullptr, 't'},
                                        {"points", required_argument, nullptr, 'p'},
                                        {nullptr, 0, nullptr, 0}};
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "nothing") return 0;
  if (command == "target" && argc == 5)
    RunTarget(std::atoi(argv[2]), std::atoi(argv[3]), std::strtoull(argv[4], nullptr, 10));
  Options options;
  optind = 2;
  for (int got; (got = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    if (got == 's') options.seed = std::strtoull(optarg, nullptr, 0);
    if (got == 't') options.seconds = std::atoi(optarg);
    if (got == 'p') options.points = std::atoi(optarg);
    if (got == '?') return Usage();
  }
  if (optind < argc) return Usage();
  if (command == "torture")
    return Rounds(options, "answers of tracers that were taken", TortureRound);
  if (command == "fuzz")
    return Rounds(options, "calls of root's fuzzer that were taken", FuzzRound);
  if (command == "kill-points") return KillPoints(options);
  return Usage();
}

}  // namespace
}  // namespace utrace::stress

int main(int argc, char** argv) { return utrace::stress::Main(argc, argv); }
