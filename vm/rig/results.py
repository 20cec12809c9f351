# SPDX-License-Identifier: Apache-2.0
"""What the tests in the guest told, put together from the verdict, their output and the kernel's log."""

import dataclasses
import json
import os


@dataclasses.dataclass
class Result:
    name: str
    result: str
    seconds: float
    why: str
    output: str


class Results:
    """Takes verdict lines and output as they come. `show` is called with each finished test."""

    def __init__(self, show):
        self.show_ = show
        self.plan = None
        self.results = []
        self.current_ = None
        self.output_ = bytearray()

    def on_output(self, data):
        self.output_ += data

    def on_line(self, word, rest):
        if word == "plan":
            self.plan = int(rest)
        elif word == "test":
            self.current_ = rest
            self.output_.clear()
        elif word in ("pass", "fail", "skip"):
            seconds, _, why = rest.partition(" ")
            self.finish_(word, float(seconds), why)

    def finish_(self, result, seconds, why):
        done = Result(self.current_, result, seconds, why, self.output_.decode(errors="replace"))
        self.current_ = None
        self.results.append(done)
        self.show_(done)

    def close(self, outcome, log):
        """Adds what the guest could not tell itself: a test that took it down, and splats in a test's time."""
        if self.current_ is not None:
            self.finish_("fail", 0.0, f"during this test: {outcome.message}")
        lines = log.splitlines()
        for number, line in outcome.splats:
            name = test_at(lines, number)
            for done in self.results:
                if done.name == name and done.result != "fail":
                    done.result, done.why = "fail", f"kernel splat during this test: {line}"

    def complete(self):
        return self.plan is not None and len(self.results) == self.plan

    def failed(self):
        """The tests that count as failed: in CI a skipped test does."""
        bad = ("fail", "skip") if in_ci() else ("fail",)
        return [done for done in self.results if done.result in bad]

    def save(self, path, outcome):
        document = {"plan": self.plan, "status": outcome.status, "message": outcome.message,
                    "results": [dataclasses.asdict(done) for done in self.results]}
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(json.dumps(document, indent=1) + "\n")
        new.rename(path)


def in_ci():
    """Where nobody reads that a test was skipped, a skipped test counts as failed."""
    return os.environ.get("CI", "") not in ("", "0", "false")


def test_at(lines, number):
    """The test that ran when line `number` of the kernel's log was written."""
    for line in reversed(lines[:number]):
        if "utrace-test: " in line:
            return line.split("utrace-test: ", 1)[1].strip()
    return None
