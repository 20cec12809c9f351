#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How runs end: the command's own status, and one for each way of losing it."""

import os
import pathlib
import re
import shutil
import signal
import tempfile
import unittest

from rig import children, environment, start_vm_run, vm_run, wait_for_output, wait_until_gone

CACHE = pathlib.Path(os.environ.get("UTRACE_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "utrace")
LOAD_SPLAT = "insmod /payload/utrace_splat.ko; "


class EndingTest(unittest.TestCase):

    def assert_ends(self, run, status, words):
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertIn(words, run.stderr.decode())

    def assert_logs_kept(self, run):
        folder = re.search(r"logs are in (\S+)", run.stderr.decode()).group(1)
        log = pathlib.Path(folder) / "kernel.log"
        self.assertIn("Linux version", log.read_text(errors="replace"))

    def test_status_0_is_passed_on_in_silence(self):
        run = vm_run("--", "true")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"", b""))

    def test_status_1_is_passed_on(self):
        self.assertEqual(vm_run("--", "false").returncode, 1)

    def test_status_200_is_passed_on(self):
        self.assertEqual(vm_run("--", "sh", "-c", "exit 200").returncode, 200)

    def test_death_by_signal_is_128_and_its_number(self):
        self.assertEqual(vm_run("--", "sh", "-c", "kill -SEGV $$").returncode, 128 + signal.SIGSEGV)

    def test_command_that_is_not_there_is_127(self):
        run = vm_run("--", "no-such-command")
        self.assertEqual(run.returncode, 127)
        self.assertIn(b"cannot run no-such-command", run.stdout)

    def test_splat_is_97_though_the_command_succeeds(self):
        run = vm_run("--", "sh", "-c", LOAD_SPLAT + "echo warn > /sys/kernel/debug/utrace_splat; exit 0")
        self.assert_ends(run, 97, "WARNING: ")
        self.assert_logs_kept(run)

    def test_panic_is_97(self):
        run = vm_run("--", "sh", "-c", "echo c > /proc/sysrq-trigger")
        self.assert_ends(run, 97, "kernel splat")

    def test_hang_is_98(self):
        run = vm_run("--timeout", "3", "--", "sleep", "1000")
        self.assert_ends(run, 98, "within 3 s")
        self.assert_logs_kept(run)

    def test_unkillable_hang_in_the_kernel_is_98(self):
        run = vm_run("--timeout", "3", "--", "sh", "-c", LOAD_SPLAT + "echo hang > /sys/kernel/debug/utrace_splat")
        self.assert_ends(run, 98, "within 3 s")

    def test_reboot_is_99(self):
        run = vm_run("--", "sh", "-c", "echo b > /proc/sysrq-trigger; sleep 1000")
        self.assert_ends(run, 99, "no trailer")
        self.assert_logs_kept(run)

    def test_power_off_without_trailer_is_99(self):
        run = vm_run("--", "sh", "-c", "echo o > /proc/sysrq-trigger; sleep 1000")
        self.assert_ends(run, 99, "no trailer")

    def test_killed_emulator_is_99(self):
        run = start_vm_run("--", "sh", "-c", "echo ready; sleep 1000")
        wait_for_output(run, b"ready")
        emulator, = children(run.pid)
        os.kill(emulator, signal.SIGKILL)
        _, stderr = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 99)
        self.assertIn(b"no trailer", stderr)

    def test_interrupt_ends_the_emulator_and_leaves_nothing(self):
        run = start_vm_run("--", "sh", "-c", "echo ready; sleep 1000")
        wait_for_output(run, b"ready")
        emulator, = children(run.pid)
        scratch = environment(emulator)["TMPDIR"]
        os.kill(run.pid, signal.SIGINT)
        _, stderr = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 130, stderr)
        self.assertTrue(wait_until_gone(emulator, 0))
        self.assertEqual(list(pathlib.Path(scratch).glob("*.img")), [])
        self.assertFalse((pathlib.Path(scratch) / "initramfs").exists())

    def test_killed_run_takes_the_emulator_along(self):
        run = start_vm_run("--", "sh", "-c", "echo ready; sleep 1000")
        wait_for_output(run, b"ready")
        emulator, = children(run.pid)
        run.kill()
        run.communicate(timeout=60)
        self.assertTrue(wait_until_gone(emulator, 5))

    def test_guest_that_never_comes_up_is_booted_anew_and_then_99(self):
        with tempfile.TemporaryDirectory() as folder:
            cache = pathlib.Path(folder)
            for part in ("qemu", "guest", "deps"):
                (cache / part).symlink_to(CACHE / part)
            kernel = cache / "kernels" / "6.12"
            kernel.mkdir(parents=True)
            for path in (CACHE / "kernels" / "6.12").iterdir():
                (kernel / path.name).symlink_to(path)
            (kernel / "vmlinuz").unlink()
            shutil.copy(CACHE / "qemu" / "usr" / "share" / "seabios" / "bios.bin", kernel / "vmlinuz")
            run = vm_run("--no-build", "--", "true", env={**os.environ, "UTRACE_CACHE": folder})
        self.assert_ends(run, 99, "never came up in 3 boots")

    def test_kernel_that_is_not_set_up_names_the_next_step(self):
        with tempfile.TemporaryDirectory() as folder:
            run = vm_run("--no-build", "--", "true", env={**os.environ, "UTRACE_CACHE": folder})
        self.assert_ends(run, 96, "tools/setup kernel:6.12")

    def test_wrong_usage_is_2(self):
        for arguments in ([], ["--shell", "--", "true"], ["--smp", "0", "--", "true"], ["--frobnicate", "--", "true"],
                          ["--with", "/usr/share", "--with", "/usr/local/share", "--", "true"]):
            with self.subTest(arguments):
                self.assertEqual(vm_run(*arguments).returncode, 2)


if __name__ == "__main__":
    unittest.main()
