#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes into the guest and comes out of it: folders, output, a terminal."""

import hashlib
import os
import pathlib
import stat
import subprocess
import tempfile
import time
import unittest

from rig import VM_RUN, vm_run

ODD_NAMES = ["with space", "new\nline", "umlaut-\u00e4", "-dash", "quote'\"", "*?[x]", "." + "long" * 60]


class TrafficTest(unittest.TestCase):

    def test_output_is_byte_exact(self):
        with tempfile.TemporaryDirectory() as folder:
            blob = pathlib.Path(folder) / "data" / "blob"
            blob.parent.mkdir()
            blob.write_bytes(os.urandom(8 << 20) + bytes(range(256)) + b"\r\n\x04\x03\x1d no newline at the end")
            run = vm_run("--with", str(blob.parent), "--", "cat", "/with/data/blob")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(len(run.stdout), blob.stat().st_size)
            self.assertEqual(hashlib.sha256(run.stdout).digest(), hashlib.sha256(blob.read_bytes()).digest())

    def test_output_is_complete_however_slowly_it_is_read(self):
        # Less than the guest's queue holds and more than the buffers after it: the command has ended, and the guest
        # would be gone, long before the last byte is asked for.
        run = subprocess.Popen(VM_RUN + ["--", "sh", "-c", "head -c 2000000 /dev/zero; echo end"],
                               stdout=subprocess.PIPE, bufsize=0)
        first = run.stdout.read(1)
        time.sleep(8)
        rest, _ = run.communicate(timeout=120)
        self.assertEqual(len(first + rest), 2000004)
        self.assertEqual(rest[-4:], b"end\n")
        self.assertEqual(run.returncode, 0)

    def test_output_and_errors_keep_their_order(self):
        script = "for i in 1 2 3 4 5 6 7 8; do echo out $i; echo err $i >&2; done"
        run = vm_run("--", "sh", "-c", script)
        self.assertEqual(run.stdout.decode(), "".join(f"out {i}\nerr {i}\n" for i in range(1, 9)))

    def test_output_comes_as_it_is_written(self):
        run = subprocess.Popen(VM_RUN + ["--", "sh", "-c", "echo first; sleep 1000"], stdout=subprocess.PIPE)
        self.assertEqual(run.stdout.readline(), b"first\n")
        run.terminate()
        run.communicate(timeout=60)

    def test_seconds_are_as_long_there_as_here(self):
        run = subprocess.Popen(VM_RUN + ["--", "sh", "-c", "echo begin; sleep 3; echo end"], stdout=subprocess.PIPE)
        self.assertEqual(run.stdout.readline(), b"begin\n")
        begin = time.monotonic()
        self.assertEqual(run.stdout.readline(), b"end\n")
        # What is late on a busy machine is the output, and of both lines.
        self.assertGreater(time.monotonic() - begin, 2)
        self.assertEqual(run.wait(60), 0)

    def test_copied_folder_is_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder) / "a folder"
            (top / "sub" / "empty").mkdir(parents=True)
            for index, name in enumerate(ODD_NAMES):
                (top / "sub" / name).write_text(f"content {index}")
            script = top / "script"
            script.write_text("#!/bin/sh\necho runs\n")
            script.chmod(0o751)
            setuid = top / "setuid"
            setuid.write_text("x")
            setuid.chmod(0o4755)
            (top / "link").symlink_to("sub/" + "x" * 100)
            os.link(script, top / "sub" / "hard")
            with open(top / "sparse", "wb") as sparse:
                sparse.truncate(96 << 20)
                sparse.seek(48 << 20)
                sparse.write(b"middle")
            with open(top / "large", "wb") as large:
                for _ in range(300):
                    large.write(os.urandom(1 << 20))
            here = self.describe(top)
            check = pathlib.Path(__file__)
            run = vm_run("--with", str(top), "--with", str(check.parent), "--", "sh", "-c",
                         "'/with/a folder/script' && exec python3 /with/rig/traffic_test.py describe '/with/a folder'")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout.decode(), "runs\n" + here)

    @staticmethod
    def describe(top):
        """A line for each file: its name, kind, mode, owner, links, and what is in it."""
        lines = []
        for base, folders, files in os.walk(top):
            for name in folders + files:
                path = os.path.join(base, name)
                info = os.lstat(path)
                line = [repr(os.path.relpath(path, top)), oct(info.st_mode), info.st_uid, info.st_gid]
                if stat.S_ISLNK(info.st_mode):
                    line.append(os.readlink(path))
                elif stat.S_ISREG(info.st_mode):
                    with open(path, "rb") as file:
                        line += [info.st_nlink, info.st_size, int(info.st_mtime),
                                 hashlib.file_digest(file, "sha256").hexdigest()]
                lines.append(" ".join(map(str, line)))
        return "\n".join(sorted(lines)) + "\n"

    def test_left_over_daemon_does_not_keep_the_run_open(self):
        begin = time.monotonic()
        script = "(while :; do echo noise; sleep 0.1; done) & echo done; exit 3"
        run = vm_run("--timeout", "100", "--", "sh", "-c", script)
        self.assertEqual(run.returncode, 3, run.stderr)
        self.assertIn(b"done\n", run.stdout)
        self.assertLess(time.monotonic() - begin, 90)

    def test_shell_is_on_a_terminal_and_its_status_is_passed_on(self):
        run = vm_run("--shell", input=b"tty; echo sum $((20 + 22)); exit 5\n")
        self.assertEqual(run.returncode, 5, run.stderr)
        self.assertIn(b"/dev/pts/0", run.stdout)
        self.assertIn(b"sum 42", run.stdout)

    def test_repeat_stops_at_the_first_failure(self):
        run = vm_run("--repeat", "3", "--", "sh", "-c", "echo ran; exit 4")
        self.assertEqual((run.returncode, run.stdout), (4, b"ran\n"))
        self.assertIn(b"run 1 of 3", run.stderr)

    def test_cpus_memory_and_environment_are_as_wished(self):
        run = vm_run("--smp", "3", "--mem", "700M", "--env", "WISH=come true", "--", "sh", "-c",
                     "nproc; awk '/MemTotal/ {print ($2 > 500000 && $2 < 720000)}' /proc/meminfo; echo $WISH; id -u")
        self.assertEqual(run.stdout, b"3\n1\ncome true\n0\n")

    def test_time_follows_instructions_when_wished(self):
        # The same number of instructions takes the same guest time, whatever the host is doing. The guest does other
        # things too: its tick, and for its first moments what is left of its boot, all the longer if the host is slow.
        # So a round is short enough to fit between two ticks, and the shortest of many is looked at. Nothing is
        # allocated in it: what that takes depends on the heap, which is another with each seed of Python's hashes.
        script = ("import time; clock = time.monotonic; data = bytes(40000); "
                  "print(min(sum(data) * 0 + clock() - a for a in (clock() for _ in range(700))))")
        once = f"PYTHONHASHSEED=0 python3 -c '{script}'"
        run = vm_run("--icount", "--", "sh", "-c", f"{once}; {once}")
        first, second = (float(line) for line in run.stdout.decode().split())
        self.assertLess(abs(first - second) / first, 0.001)


if __name__ == "__main__":
    import sys
    if sys.argv[1:2] == ["describe"]:
        print(TrafficTest.describe(sys.argv[2]), end="")
    else:
        unittest.main()
