#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/setup where something is missing: one error, which says what to do next. The network, the disk, the
architecture and the rights are really taken away; only dpkg-query is a false one, since here all is installed."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 65534


class SetupTest(unittest.TestCase):

    def setUp(self):
        # A copy where anybody may look: the checkout itself may lie in root's home.
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="setup-test-"))
        self.addCleanup(shutil.rmtree, self.scratch)
        self.scratch.chmod(0o755)
        for name in ("tools/setup.d", "vm/rig", "vm/kernels"):
            shutil.copytree(CHECKOUT / name, self.scratch / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.setup = shutil.copy(CHECKOUT / "tools" / "setup", self.scratch / "tools" / "setup")
        self.cache = self.scratch / "cache"
        self.cache.mkdir()
        self.cache.chmod(0o777)

    def run_setup(self, *what, within=(), user=None, path=None):
        environment = {"UTRACE_CACHE": str(self.cache), "PATH": path or SYSTEM, "HOME": str(self.scratch)}
        rights = {"user": user, "group": user, "extra_groups": []} if user and os.geteuid() == 0 else {}
        return subprocess.run([*within, self.setup, *what], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=environment, cwd="/", check=False, **rights)

    def assert_fails(self, run, *words):
        self.assertEqual(run.returncode, 1, run)
        errors = [line for line in run.stderr.splitlines() if line.startswith("setup: ")]
        self.assertEqual(len(errors), 1, run)
        for word in words:
            self.assertIn(word, errors[0])
        self.assertNotIn("Traceback", run.stderr)

    def folder_of_programs(self, *names):
        """A PATH with these programs alone, and a dpkg-query of a machine that has no packages."""
        folder = self.scratch / "bin"
        folder.mkdir()
        for name in names:
            (folder / name).symlink_to(shutil.which(name, path=SYSTEM))
        (folder / "dpkg-query").write_text("#!/bin/sh\n")
        (folder / "dpkg-query").chmod(0o755)
        return str(folder)

    def test_another_architecture_is_named(self):
        self.assert_fails(self.run_setup("packages", within=["setarch", "i686"]), "i686", "use an x86_64 machine")

    def test_without_root_and_sudo_packages_are_not_installed(self):
        path = self.folder_of_programs("sh", "uname", "readlink", "dirname", "id", "env", "python3", "apt-get")
        self.assert_fails(self.run_setup("packages", user=NOBODY, path=path), "needs root", "no sudo", "as root")

    def test_without_root_and_sudo_python_is_not_installed(self):
        path = self.folder_of_programs("sh", "uname", "readlink", "dirname", "id", "env", "apt-get")
        self.assert_fails(self.run_setup("packages", user=NOBODY, path=path), "python3 is missing", "as root")

    def test_a_small_disk_is_measured(self):
        mount = f"mount -t tmpfs -o size=100M tmpfs {self.cache} && exec \"$@\""
        run = self.run_setup("packages", within=["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"])
        self.assert_fails(run, str(self.cache), "0.1 GB free", "UTRACE_CACHE")

    def test_without_a_network_the_archive_cannot_be_asked(self):
        run = self.run_setup("deps", within=["unshare", "--map-root-user", "--net"])
        self.assert_fails(run, "fetching the index of", "check the network")


if __name__ == "__main__":
    unittest.main()
