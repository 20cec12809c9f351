#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kernels built here report what they were built to report: a check that is not there finds nothing."""

import pathlib
import re
import unittest

from rig import vm_run

SPLAT = "insmod /payload/utrace_splat.ko || exit 1; "


def seed(*words):
    return SPLAT + "".join(f"echo {word} > /sys/kernel/debug/utrace_splat; " for word in words)


class DebugTest(unittest.TestCase):

    def run_debug(self, *arguments, kernel="debug"):
        """The kernel's log of a run that ends with a splat."""
        run = vm_run("--kernel", kernel, *arguments)
        self.assertEqual(run.returncode, 97, run.stdout + run.stderr)
        folder = re.search(r"logs are in (\S+)", run.stderr.decode()).group(1)
        return (pathlib.Path(folder) / "kernel.log").read_text(errors="replace")

    def test_each_check_reports(self):
        # In this order: a report of a lock's or of memory's misuse ends the checks before it.
        log = self.run_debug("--", "sh", "-c", seed(
            "suspicious-rcu", "atomic-sleep", "lock-inversion", "list-corruption", "free-active", "use-after-free"))
        for words in ("suspicious RCU usage", "sleeping function called from invalid context",
                      "possible circular locking dependency", r"list_del corruption", "ODEBUG: free active",
                      r"KASAN: slab-use-after-free in .*\[utrace_splat\]"):
            self.assertRegex(log, words)

    def test_leak_is_found_and_named(self):
        log = self.run_debug("--leaks", "--", "sh", "-c", seed("leak"))
        self.assertRegex(log, r"kmemleak: [0-9]+ new suspected memory leaks")
        self.assertRegex(log, r"leak scan: .*\[utrace_splat\]")

    def test_data_race_is_reported(self):
        log = self.run_debug("--", "sh", "-c", seed("data-race"), kernel="kcsan")
        self.assertRegex(log, r"KCSAN: data-race in (contend|race_of_ours)\S* \[utrace_splat\]")

    def test_data_race_with_code_that_is_not_instrumented_is_reported(self):
        log = self.run_debug("--", "sh", "-c", seed("data-race-outside"), kernel="kcsan")
        self.assertRegex(log, r"KCSAN: data-race in race_with_the_kernel\S* \[utrace_splat\]")
        self.assertRegex(log, "race at unknown origin")


if __name__ == "__main__":
    unittest.main()
