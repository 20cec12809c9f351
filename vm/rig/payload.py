# SPDX-License-Identifier: Apache-2.0
"""The build tree as vm/run sees it: the guest's init, and what goes to /payload there."""

import fcntl
import os
import subprocess
import sys

from errors import RigError
from kernel import CHECKOUT


class Build:
    """A CMake build tree of this checkout; configured on first use."""

    def __init__(self, preset):
        self.preset = preset
        self.dir = CHECKOUT / "build" / preset

    @property
    def init(self):
        return self.dir / "vm" / "init" / "utrace_vm_init"

    def payload(self, kernel, variant):
        """The folder of a variant: "", "-gates" with the module built with gates, "-tools" without the tests,
        "-races" with gates and two tests."""
        return self.dir / "payload" / f"{kernel.series}{variant}"

    def update(self, kernel, variant):
        """Brings init and payload up to date, quietly unless something goes wrong."""
        self.dir.mkdir(parents=True, exist_ok=True)
        # Two vm/run at once would otherwise run two builds in one tree.
        with open(self.dir / ".vm-run.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self.dir / "CMakeCache.txt").exists():
                self.step_(["cmake", "--preset", self.preset], "configuring", "tools/setup installs what is missing")
            self.step_(["cmake", "--build", str(self.dir), "--target", f"payload-{kernel.series}{variant}"], "building",
                       "mend the build")

    def step_(self, argv, what, hint):
        done = subprocess.run(argv, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**os.environ, "CLICOLOR_FORCE": "0"})
        if done.returncode:
            sys.stderr.buffer.write(done.stdout[-6000:])
            sys.stderr.flush()
            raise RigError(f"{what} {self.dir} failed ('{' '.join(argv)}', output above): {hint}")
