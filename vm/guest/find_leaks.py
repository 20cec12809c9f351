#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command in the guest and then has kmemleak look for memory that nothing points to any more. What it finds goes
to the kernel's log, where vm/run sees it. find_leaks.py COMMAND ARG..."""

import os
import pathlib
import subprocess
import sys
import time

KMEMLEAK = pathlib.Path("/sys/kernel/debug/kmemleak")
# Younger memory is not reported: its pointer may still be on its way to where it belongs.
SETTLE_SECONDS = 6
VERDICT_FD = 3
# vm/run takes a log without it for a search that did not come to its end.
DONE = "leak scan: done"


def inherited():
    try:
        os.fstat(VERDICT_FD)
    except OSError:
        return ()
    return (VERDICT_FD,)


def log(lines):
    with open("/dev/kmsg", "w", buffering=1) as kmsg:
        for line in lines:
            kmsg.write(line + "\n")


def look(when):
    time.sleep(SETTLE_SECONDS)
    # What changed since the scan before is taken for alive, so it takes two.
    for _ in range(2):
        KMEMLEAK.write_text("scan")
    found = KMEMLEAK.read_text().splitlines()
    count = sum(line.startswith("unreferenced ") for line in found)
    log([f"leak scan {when}: {count} found", *(f"leak scan: {line}" for line in found)])
    # Each is told once.
    KMEMLEAK.write_text("clear")


def main():
    if not KMEMLEAK.exists():
        sys.exit(f"looking for leaks: no {KMEMLEAK}: this kernel has no kmemleak, or it was switched off")
    status = subprocess.run(sys.argv[1:], pass_fds=inherited()).returncode
    look("after the command")
    if pathlib.Path("/sys/module/utrace").exists():
        # Whatever the module alone still pointed to is lost with it.
        if subprocess.run(["rmmod", "utrace"]).returncode:
            sys.exit("looking for leaks: the module does not leave: does the command leave an engine behind?")
        look("without the module")
    log([DONE])
    sys.exit(128 - status if status < 0 else status)


if __name__ == "__main__":
    main()
