# SPDX-License-Identifier: Apache-2.0
"""./check: see --help."""

import argparse
import os
import sys
import time

from steps import BUILD, CHECKOUT, PRESET, Progress, Step, clock, run, show_failure

SETUP = ["deps", "qemu", "guest", "kernel:6.12", "kernel:6.1", "kernel:7.3"]
FULL_SETUP = ["kernel:6.12-generic", "kernel:debug", "kernel:kcsan"]


def steps_of(options):
    jobs = str(os.cpu_count() or 1)
    others = ["6.1", "7.3", *(["6.12-generic", "debug", "kcsan"] if options.full else [])]
    which = [] if options.full else ["--third"]
    steps = [
        Step("setup", ["tools/setup", *SETUP, *(FULL_SETUP if options.full else [])], shown=True),
        Step("configure", ["cmake", "--preset", PRESET]),
        Step("build", ["cmake", "--build", str(BUILD), "-j", jobs, "--target", "all", "payload-6.12",
                       "payload-6.12-gates"]),
        Step("modules", ["cmake", "--build", str(BUILD), "-j", jobs, "--target", *(f"payload-{s}" for s in others),
                         "--", "-k", "0"]),
        Step("lint", ["tools/lint"]),
        Step("model", ["tests/integration/model/run"]),
        Step("unit", [], tests="unit"),
        Step("rig", [], tests="rig"),
        Step("vm", [], tests="vm"),
        Step("smoke", [], tests="smoke"),
        Step("seed", [], tests="seed"),
        Step("stress", [], tests="stress"),
        Step("mutations", ["tests/integration/mutations/run", "--own", *which]),
    ]
    if options.full:
        steps.append(Step("full", [], tests="full"))
        steps.append(Step("fresh", ["tools/fresh_machine", "trixie"]))
    return steps


def main():
    parser = argparse.ArgumentParser(
        prog="./check",
        description="Sets up and builds everything, then: lint, the models, unit tests, the tests of the VM rig, all "
                    "behaviour tests on 6.12, the smoke tests on 6.1 and 7.3, the races on 6.12 with gates, two "
                    "minutes of stress, and a third of the mutations. With CI=true a skipped test fails the check.")
    parser.add_argument("--full", action="store_true",
                        help="all behaviour tests on 6.1, 7.3, 6.12-generic and the debug kernel, more than an hour of "
                             "stress, all mutations, and the demonstration on a fresh Debian 13")
    options = parser.parse_args()
    steps, progress, begin = steps_of(options), Progress(), time.monotonic()
    # Without a build there is nothing to test; after that each step says something the others do not.
    essential = {"setup", "configure", "build"}
    try:
        for index, step in enumerate(steps, 1):
            progress.begin(step, index, len(steps))
            passed = run(step, progress)
            progress.end(step)
            if not passed:
                show_failure(step)
                if step.name in essential:
                    break
    except FileNotFoundError as error:
        sys.exit(f"check: {error.filename} is missing in {CHECKOUT}: is the checkout complete?")
    except KeyboardInterrupt:
        sys.exit("\ncheck: interrupted")
    return report(steps, time.monotonic() - begin)


def report(steps, seconds):
    print()
    for step in steps:
        first = step.notes[0] if step.notes else ""
        print(f"  {step.name:10} {step.result or 'not run':8} {clock(step.seconds):>6}  {first}".rstrip())
        for note in step.notes[1:]:
            print(f"  {'':10} {note}")
    passed = all(step.result == "passed" for step in steps)
    print(f"\ncheck: {'passed' if passed else 'FAILED'} in {clock(seconds)}; logs are in {CHECKOUT}/build/logs")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
