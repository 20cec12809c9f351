# SPDX-License-Identifier: Apache-2.0
"""./demo: sets up and builds what the demonstration needs, then runs it in the guest with its output live."""

import argparse
import subprocess
import sys

from steps import CHECKOUT, PRESET, Progress, Step, run, show_failure

RACES = """
== And two races of 2009, made to happen step by step by a module with gates
SEED-1: while the thread tells that it stops with its group, its engine is told to hear no more, resumed and stopped.
SEED-9: a resume, of the right number, another or none, and SIGKILL, in every window between "hold it" and the sleep."""


def main():
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--kernel", default="6.12", metavar="SERIES", help="the guest's kernel (6.12)")
    options = parser.parse_args()
    steps = [
        Step("setup", ["tools/setup", "deps", "qemu", "guest", f"kernel:{options.kernel}"], shown=True),
        Step("configure", ["cmake", "--preset", PRESET]),
        Step("build", ["cmake", "--build", f"build/{PRESET}", "--target", f"payload-{options.kernel}-tools",
                       f"payload-{options.kernel}-races"]),
    ]
    progress = Progress()
    try:
        for index, step in enumerate(steps, 1):
            progress.begin(step, index, len(steps))
            passed = run(step, progress)
            progress.end(step)
            if not passed:
                show_failure(step)
                return 1
        vm = [CHECKOUT / "vm" / "run", "--kernel", options.kernel]
        status = subprocess.run([*vm, "--no-tests", "--timeout", "120", "--", "/payload/rig/demo"]).returncode
        if status:
            return status
        print(RACES, flush=True)
        return subprocess.run([*vm, "--races", "--env", "UTRACE_REPEAT=1",
                               "--tests", "SeedJctl.Seed1*:*.Seed9*"]).returncode
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted")


if __name__ == "__main__":
    sys.exit(main())
