# SPDX-License-Identifier: Apache-2.0
"""The machine that is being set up: what it is, root's rights, running commands, what to say when one fails."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

SUPPORTED = ("bookworm", "trixie")


class SetupError(Exception):
    """What was attempted, on what, why it failed, and what to do next, in one line."""


def say(text):
    print(f"setup: {text}", flush=True)


def check_machine(suite):
    if suite not in SUPPORTED:
        raise SetupError(f"this Debian is '{suite}'; utrace is set up on Debian 12 (bookworm) or 13 (trixie): "
                         "use one of these, a VM will do")


def need_disk(directory, gigabytes):
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free / 1e9
    if free < gigabytes:
        raise SetupError(f"{directory} has {free:.1f} GB free, {gigabytes} GB are needed: make room there, "
                         "or set UTRACE_CACHE to a folder on a larger disk")


@contextlib.contextmanager
def locked(cache, what):
    """Holds the cache's lock of this name: several checkouts may share a cache and set it up at once."""
    folder = cache / "locks"
    folder.mkdir(exist_ok=True)
    with open(folder / what, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another set-up is at work on {what} in {cache}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def as_root(argv, what=None):
    """The command that runs argv as root: itself, or by sudo. Where there is neither, the error names `what`."""
    if os.geteuid() == 0:
        return list(argv)
    if shutil.which("sudo"):
        return ["sudo", *argv]
    raise SetupError(f"{what or ' '.join(map(str, argv[:3]))} needs root, and there is no sudo: run this as root")


def run(argv, what, hint, cwd=None, env=None, log=None):
    """Runs argv; on failure raises SetupError with its last lines of output."""
    done = subprocess.run([str(a) for a in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if log:
        pathlib.Path(log).write_text(done.stdout)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-12:])
        print(tail, file=sys.stderr)
        raise SetupError(f"{what}: {pathlib.Path(str(argv[0])).name} ended with status {done.returncode} "
                         f"(its last lines are above): {hint}")
    return done.stdout


def replace_tree(new, target):
    """Puts the finished folder `new` where `target` is, so that an interrupted set-up leaves no half of one."""
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
