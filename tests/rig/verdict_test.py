#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each way a test in the guest can end gets its own result, on stdout, in the file and by vm/verdict."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from rig import CHECKOUT, vm_run

VERDICT = str(CHECKOUT / "vm" / "verdict")


def without_ci():
    return {name: value for name, value in os.environ.items() if name != "CI"}


class VerdictTest(unittest.TestCase):

    def run_selftest(self, pattern, *arguments, **more):
        with tempfile.TemporaryDirectory() as folder:
            results = pathlib.Path(folder) / "results.json"
            run = vm_run("--env", "UTRACE_TESTS=/payload/rig/selftest", "--test-timeout", "5",
                         "--results", str(results), *arguments, f"--tests={pattern}", env={**without_ci(), **more})
            document = json.loads(results.read_text()) if results.exists() else None
            verdicts = {}
            for done in document["results"] if document else []:
                verdicts[done["name"]] = subprocess.run(
                    [VERDICT, results, done["name"]], stdout=subprocess.PIPE, env={**without_ci(), **more}).returncode
            for key, name in (("--log", "--log"), ("not among them", "No.Such")):
                verdicts[key] = subprocess.run([VERDICT, results, name], stderr=subprocess.PIPE).returncode
        return run, verdicts

    def test_each_result_is_told(self):
        run, verdicts = self.run_selftest("-*Warns:*TakesTheGuestDown")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(verdicts, {
            "GuestSelftest.Passes": 0, "GuestSelftest.Fails": 1, "GuestSelftest.IsSkipped": 77,
            "GuestSelftest.IsKilled": 1, "GuestSelftest.Hangs": 1,
            "Few/GuestSelftestOf.Passes/0": 0, "Few/GuestSelftestOf.Passes/1": 0,
            "--log": 0, "not among them": 1})
        text = run.stdout.decode()
        self.assertRegex(text, r"fail .*GuestSelftest.Hangs  did not end within 5 s")
        self.assertRegex(text, r"fail .*GuestSelftest.IsKilled  killed by SIGSEGV")
        self.assertIn("7 tests on 6.12", text)
        self.assertIn("3 passed, 3 failed, 1 skipped", text)

    def test_skipped_is_failed_in_ci(self):
        run, verdicts = self.run_selftest("*IsSkipped", CI="true")
        self.assertEqual(run.returncode, 1)
        self.assertEqual(verdicts["GuestSelftest.IsSkipped"], 1)

    def test_skipped_alone_is_no_failure_elsewhere(self):
        self.assertEqual(self.run_selftest("*IsSkipped")[0].returncode, 0)

    def test_splat_fails_the_run_and_the_test_in_whose_time_it_fell(self):
        run, verdicts = self.run_selftest("*Passes:*Warns")
        self.assertEqual(run.returncode, 97, run.stdout)
        self.assertEqual(verdicts["GuestSelftest.Warns"], 1)
        self.assertEqual(verdicts["GuestSelftest.Passes"], 0)
        self.assertEqual(verdicts["--log"], 1)

    def test_test_that_takes_the_guest_down_is_failed_and_named(self):
        run, verdicts = self.run_selftest("*Passes:*TakesTheGuestDown")
        self.assertEqual(run.returncode, 99, run.stdout)
        self.assertEqual(verdicts["GuestSelftest.TakesTheGuestDown"], 1)
        self.assertEqual(verdicts["GuestSelftest.Passes"], 0)

    def test_collecting_leaves_the_results_to_each_test(self):
        run, verdicts = self.run_selftest("*.Passes:*TakesTheGuestDown:Few/*/0", "--collect")
        self.assertEqual(run.returncode, 0, run.stderr)
        # The last of the three was never reached.
        self.assertEqual(verdicts, {"GuestSelftest.Passes": 0, "GuestSelftest.TakesTheGuestDown": 1,
                                    "--log": 1, "not among them": 1})

    def test_collecting_fails_without_a_plan(self):
        self.assertEqual(self.run_selftest("No.Such", "--collect")[0].returncode, 1)

    def test_filter_that_matches_nothing_fails(self):
        run, _ = self.run_selftest("No.Such")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"no test in the guest matches", run.stderr)


if __name__ == "__main__":
    unittest.main()
