#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What of a kernel log counts as a splat; needs no guest."""

import datetime
import pathlib
import re
import sys
import tempfile
import unittest

from rig import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "vm" / "rig"))

import splats  # noqa: E402

SPLATS = """\
[    1.000000] WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 foo+0x1/0x2 [utrace]
[    1.000000] WARNING: kernel/fork.c:1 at foo+0x1/0x2, CPU#1: sh/12
[    1.000000][  T123] WARNING: possible recursive locking detected
[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    1.000000] Oops: 0002 [#1] PREEMPT SMP NOPTI
[    1.000000] Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1]
[    1.000000] kernel BUG at mm/slub.c:1!
[    1.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:12]
[    1.000000] rcu: INFO: rcu_preempt self-detected stall on CPU
[    1.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[    1.000000] INFO: task sh:12 blocked for more than 120 seconds.
[    1.000000] BUG: KASAN: slab-use-after-free in foo+0x1/0x2
[    1.000000] BUG: KCSAN: data-race in foo / bar
[    1.000000] UBSAN: array-index-out-of-bounds in foo.c:1:2
[    1.000000] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
[    1.000000] list_add corruption. next->prev should be prev
[    1.000000] refcount_t: underflow; use-after-free.
[    1.000000] BUG: sleeping function called from invalid context at foo.c:1
[    1.000000] Kernel panic - not syncing: Fatal exception
[    1.000000] ODEBUG: free active (active state 0) object
[    1.000000] failed to validate module [utrace] BTF: -22
""".splitlines()
HARMLESS = """\
[    0.000000] Linux version 6.12.95+deb12-cloud-amd64
[    0.100000] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on
[    0.100000] x86/boot: Scanning 0 areas for low memory corruption
[    0.100000] rcu: Hierarchical RCU implementation.
[    0.100000] sh[12]: segfault at 0 ip 0000000000000000
[    0.100000] utrace: loading out-of-tree module taints kernel.
[    0.100000] DEBUG: nothing
""".splitlines()


class SplatsTest(unittest.TestCase):

    def test_each_kind_is_found(self):
        for line in SPLATS:
            with self.subTest(line):
                self.assertEqual(splats.find(line, allow=[]), [(1, line)])

    def test_each_rule_finds_something(self):
        """A rule that no example hits may as well be wrong; these few have no example of their own above."""
        bare = [pattern.pattern for pattern in splats.read_deny()
                if not any(pattern.search(splats.STAMP.sub("", line)) for line in SPLATS)]
        self.assertLess(len(bare), len(splats.read_deny()) // 2, bare)

    def test_harmless_lines_are_not(self):
        for line in HARMLESS:
            with self.subTest(line):
                self.assertEqual(splats.find(line, allow=[]), [])

    def test_allowed_line_is_not_found_until_its_day_is_past(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "splats.allow").write_text(
                "# a comment\n2026-12-24 | ^WARNING: .* foo | the emulator's doing\n")
            saved, splats.FOLDER = splats.FOLDER, pathlib.Path(folder)
            try:
                before = splats.read_allow(datetime.date(2026, 12, 24))
                after = splats.read_allow(datetime.date(2026, 12, 25))
            finally:
                splats.FOLDER = saved
        self.assertEqual(splats.find(SPLATS[0], allow=before), [])
        self.assertEqual(len(splats.find(SPLATS[0], allow=after)), 1)

    def test_line_numbers_are_those_of_the_log(self):
        log = "\n".join(HARMLESS + [SPLATS[0] + "\r"])
        self.assertEqual(splats.find(log, allow=[]), [(len(HARMLESS) + 1, SPLATS[0])])

    def test_shipped_files_are_well_formed(self):
        self.assertGreater(len(splats.read_deny()), 20)
        for entry in splats.read_allow(datetime.date(2000, 1, 1)):
            self.assertIsInstance(entry, re.Pattern)


if __name__ == "__main__":
    unittest.main()
