#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the GoogleTest programs of /payload/tests in the guest, each test as a process of its own, and tells the
result of each on the verdict's descriptor. run_tests.py FILTER SECONDS-PER-TEST"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

VERDICT_FD = 3
# Elsewhere for the rig's own tests, which are meant to fail.
FOLDER = pathlib.Path(os.environ.get("UTRACE_TESTS", "/payload/tests"))
DETAILS = pathlib.Path("/tmp/test-details.json")


def tell(line):
    os.write(VERDICT_FD, line.encode() + b"\n")


def list_tests(program, pattern):
    done = subprocess.run([program, "--gtest_list_tests", f"--gtest_filter={pattern}"],
                          stdout=subprocess.PIPE, text=True, check=True)
    suite = ""
    for line in done.stdout.splitlines():
        # "Suite." and, indented, "Test"; both may carry a comment with the value of a parameter.
        name = line.split("#")[0].strip()
        if not line.startswith(" "):
            suite = name
        elif not name.startswith("DISABLED_") and not suite.startswith("DISABLED_"):
            yield suite + name


def was_skipped():
    try:
        suites = json.loads(DETAILS.read_text())["testsuites"]
    except (OSError, ValueError):
        return False
    return any(test["result"] == "SKIPPED" for suite in suites for test in suite["testsuite"])


def run_test(program, name, seconds):
    """Returns pass, fail or skip, and what is to be said beyond the test's own output."""
    DETAILS.unlink(missing_ok=True)
    with open("/dev/kmsg", "w") as kmsg:
        # Lets a splat in the kernel's log be laid at the door of a test.
        kmsg.write(f"utrace-test: {name}\n")
    test = subprocess.Popen([program, f"--gtest_filter={name}", "--gtest_brief=1", f"--gtest_output=json:{DETAILS}"],
                            stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True, close_fds=True)
    try:
        status = test.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(test.pid, signal.SIGKILL)
        try:
            test.wait(10)
        except subprocess.TimeoutExpired:
            return "fail", f"did not end within {seconds:g} s, nor by SIGKILL 10 s later"
        return "fail", f"did not end within {seconds:g} s"
    finally:
        try:
            # Tracees that a failed test left behind must not disturb the next.
            os.killpg(test.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if status < 0:
        return "fail", f"killed by {signal.Signals(-status).name}"
    if status > 0:
        return "fail", f"exit status {status}"
    return ("skip", "") if was_skipped() else ("pass", "")


def main():
    pattern, seconds = sys.argv[1], float(sys.argv[2])
    tests = []
    for program in sorted(FOLDER.iterdir()) if FOLDER.exists() else []:
        tests += [(str(program), name) for name in list_tests(str(program), pattern)]
    tell(f"plan {len(tests)}")
    failed = False
    for program, name in tests:
        tell(f"test {name}")
        start = time.monotonic()
        result, why = run_test(program, name, seconds)
        failed |= result == "fail"
        tell(f"{result} {time.monotonic() - start:.2f} {why}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
