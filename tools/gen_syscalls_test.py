# SPDX-License-Identifier: Apache-2.0
"""usage: gen_syscalls_test.py HEADERS SPEC: the generator on the real headers and on broken specs."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gen_syscalls.py")
HEADERS, SPEC = sys.argv[1:3]


def generate(spec_text):
    """(exit status, messages, generated table) for a spec."""
    with tempfile.TemporaryDirectory() as out:
        spec = os.path.join(out, "spec")
        with open(spec, "w", encoding="ascii") as file:
            file.write(spec_text)
        done = subprocess.run([sys.executable, TOOL, "--headers", HEADERS, "--spec", spec,
                               "--out", out], capture_output=True, text=True)
        table = os.path.join(out, "syscall_tables_gen.cc")
        text = ""
        if os.path.exists(table):
            with open(table, encoding="utf-8") as file:
                text = file.read()
        return done.returncode, done.stderr, text


class RealTables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(SPEC, encoding="ascii") as file:
            status, messages, cls.table = generate(file.read())
        assert status == 0, messages

    def x86_64(self):
        return self.table.split("kCallsX86_64[]")[1].split("};\n")[0]

    def test_numbers_are_the_kernels(self):
        names = re.findall(r"^  \{(?:\"(\w+)\"|nullptr),", self.x86_64(), re.M)
        self.assertEqual(names[0], "read")
        self.assertEqual(names[59], "execve")
        self.assertEqual(names[257], "openat")

    def test_every_call_has_a_name_for_each_argument(self):
        unnamed = re.findall(r'"(arg\d)"', self.x86_64())
        # keyctl and prctl call theirs arg2 to arg5, sysfs arg1; the rest are the header's omissions.
        self.assertLess(len(unnamed), 16, unnamed)

    def test_values_are_the_compilers(self):
        self.assertIn('{"O_CLOEXEC", 524288u}', self.table)
        self.assertIn('{"TCGETS", 21505u}', self.table)
        self.assertIn('{512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"}', self.table)

    def test_aliases_are_not_printed(self):
        self.assertNotIn('"O_NDELAY"', self.table)
        self.assertNotIn('"EWOULDBLOCK"', self.table)
        self.assertIn('"EAGAIN"', self.table)


class BrokenSpecs(unittest.TestCase):
    def complaint(self, line):
        status, messages, _ = generate(line + "\n")
        self.assertEqual(status, 1)
        return messages

    def test_a_call_that_does_not_exist(self):
        self.assertIn("call nosuch", self.complaint("call nosuch : fd=fd"))

    def test_an_argument_that_does_not_exist(self):
        self.assertIn("no argument nosuch", self.complaint("call close : nosuch=fd"))

    def test_a_length_that_does_not_exist(self):
        self.assertIn("no argument nosuch", self.complaint("call read : buf=buffer>[nosuch]"))

    def test_a_kind_that_does_not_exist(self):
        self.assertIn("nosuch is neither", self.complaint("call close : fd=nosuch"))

    def test_a_set_without_members(self):
        self.assertIn("set empty", self.complaint("flags empty linux/fcntl.h : NOSUCH_\\w+"))

    def test_a_name_used_twice(self):
        self.assertIn("already the name",
                      self.complaint("flags int linux/fcntl.h : O_\\w+"))

    def test_a_struct_the_header_lacks(self):
        self.assertIn("has no struct nosuch",
                      self.complaint("struct s linux/fcntl.h : struct nosuch"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
