# SPDX-License-Identifier: Apache-2.0
"""Steps run one after the other, each with its log, its time and its result. Progress on a terminal, plain lines
elsewhere."""

import dataclasses
import os
import pathlib
import selectors
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PRESET = "dev"
BUILD = CHECKOUT / "build" / PRESET


@dataclasses.dataclass
class Step:
    """A command that passes by status 0. With `tests` it is a ctest run of that label, whose tests are counted; with
    `shown` its output is for the user, line by line, and not just for the log."""
    name: str
    argv: list
    tests: str = ""
    shown: bool = False
    result: str = ""
    seconds: float = 0.0
    notes: list = dataclasses.field(default_factory=list)

    @property
    def log(self):
        return CHECKOUT / "build" / "logs" / f"{self.name}.log"

    @property
    def junit(self):
        return CHECKOUT / "build" / "logs" / f"{self.name}.xml"


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def in_ci():
    return os.environ.get("CI", "") not in ("", "0", "false")


class Progress:
    """One line that is rewritten on a terminal; elsewhere a line when a step begins and one when it ends."""

    def __init__(self):
        self.live_ = sys.stdout.isatty()
        self.last_ = 0.0

    def begin(self, step, index, count):
        self.head_ = f"[{index}/{count}] {step.name}"
        self.start_ = time.monotonic()
        if not self.live_:
            print(f"{self.head_} ...", flush=True)

    def update(self, text):
        now = time.monotonic()
        if self.live_ and now - self.last_ > 0.2:
            self.last_ = now
            width = shutil.get_terminal_size().columns - 1
            print(("\r" + f"{self.head_} {clock(now - self.start_)}  {text}"[:width]).ljust(width), end="", flush=True)

    def show(self, line):
        """A line that stays; on a terminal the one that is rewritten moves below it."""
        width = shutil.get_terminal_size().columns - 1
        print("\r" + line.ljust(width) if self.live_ else line, flush=True)

    def end(self, step):
        notes = "".join("; " + note for note in step.notes[:1])
        self.show(f"{self.head_}: {step.result} in {clock(step.seconds)}{notes}")


def run(step, progress):
    """Runs the step's command with its output in the step's log; True when it passed."""
    step.log.parent.mkdir(parents=True, exist_ok=True)
    step.junit.unlink(missing_ok=True)
    begin = time.monotonic()
    argv = step.argv
    if step.tests:
        argv = ["ctest", "--test-dir", str(BUILD), "-L", f"^{step.tests}$", "--output-on-failure", "--no-tests=error",
                "--output-junit", str(step.junit)]
    with open(step.log, "wb") as log:
        process = subprocess.Popen(argv, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        try:
            follow(process, log, progress, step.shown)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    step.seconds = time.monotonic() - begin
    passed = process.wait() == 0
    if step.tests:
        passed = count_tests(step) and passed
    step.result = "passed" if passed else "FAILED"
    return passed


def follow(process, log, progress, shown):
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        last, rest = "", ""
        while True:
            if selector.select(0.5):
                data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    if shown and rest:
                        progress.show(rest)
                    return
                log.write(data)
                log.flush()
                *lines, rest = (rest + data.decode(errors="replace")).split("\n")
                for line in lines if shown else []:
                    progress.show(line)
                last = ([last] + [line for line in [*lines, rest] if line.strip()])[-1]
            progress.update(last)


def count_tests(step):
    """Notes how many tests passed, failed and were skipped and why. False where a skipped one counts as failed."""
    try:
        cases = list(xml.etree.ElementTree.parse(step.junit).iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        step.notes.append("ctest told no results")
        return False
    skipped = [case for case in cases
               if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")]
    failed = [case for case in cases if case.get("status") == "fail"]
    passed = len(cases) - len(skipped) - len(failed)
    step.notes.append(f"{passed} tests passed, {len(failed)} failed, {len(skipped)} skipped")
    step.notes += [f"failed: {case.get('name')}" for case in failed]
    for case in skipped:
        step.notes.append(f"skipped: {case.get('name')}{why_skipped(case)}")
    return not (skipped and in_ci())


def why_skipped(case):
    """What the test said of it: GoogleTest prints the reason under the line that ends in 'Skipped'."""
    output = (case.findtext("system-out") or "").strip().splitlines()
    for index, line in enumerate(output[:-1]):
        if line.endswith(": Skipped"):
            return ": " + output[index + 1].strip()
    return ": " + output[-1].strip() if output else ""


def show_failure(step):
    if step.shown:
        return
    tail = step.log.read_text(errors="replace").splitlines()[-40:]
    print("\n".join("    " + line for line in tail))
    print(f"{step.name} failed: the end of {step.log} is above", flush=True)
