# SPDX-License-Identifier: Apache-2.0
"""Packages of the system's own suite that utrace is built and tested with, and why each is wanted."""

import collections
import os
import shutil
import subprocess
import sys

from host import SetupError, as_root, say
from kernel import cache_dir

BUILD = {
    "build-essential": "compiles the userspace and the kernel module",
    "cmake": "drives the build",
    "ninja-build": "the build presets use it",
    "pkgconf": "finds libraries for the build",
    "git": "the build and the checks ask it for the list of files",
    "libabsl-dev": "status, strings and containers of the userspace",
    "libcli11-dev": "the command line of utracectl",
    "rapidjson-dev": "utracectl writes JSON, and the tests hold it against its schema",
    "libgtest-dev": "unit tests",
    "libgmock-dev": "unit tests",
    "libelf-dev": "libbpf and the BTF tools",
    "zlib1g-dev": "libbpf is linked to it",
    "libbpfcc-dev": "symbol names for addresses",
    "libdw-dev": "finds the callers on a stack",
    "clang-14": "compiles the BPF programs",
    "llvm-14": "strips the BPF programs",
    "pahole": "gives the kernel module its BTF",
    "kmod": "lists and loads kernel modules",
    "bc": "kernel builds",
    "bison": "kernel builds",
    "flex": "kernel builds",
    "cpio": "kernel builds",
    "rsync": "kernel builds",
    "lz4": "the 6.1 kernel is packed with it, and its type information is inside",
    "xz-utils": "kernel sources and modules are packed with it",
    "libssl-dev": "kernel builds",
    "libc6-dev-i386": "32-bit test programs",
    "spin": "explores the models in tests/integration/model",
    "debian-archive-keyring": "checks the signatures of the archive",
    "e2fsprogs": "makes the guest's disks",
    "mmdebstrap": "makes the guest's root and the build roots",
}
# trixie has other names, or dropped the version, for these.
ON_TRIXIE = {"clang-14": "clang", "llvm-14": "llvm"}
LINT = {
    "clang-format-14": "the format of C and C++",
    "shellcheck": "lint of the shell scripts",
    "sparse": "lint of the kernel module",
}


def missing(names):
    """Those of the names that are not installed; a package that provides one counts."""
    have = set()
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Provides}\n"],
                          stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        status, _, rest = line.partition(" ")
        if status == "installed":
            name, _, provides = rest.partition(" ")
            have.add(name)
            have.update(part.split()[0].split(":")[0] for part in provides.split(",") if part.strip())
    return [name for name in names if name not in have]


def install(reasons):
    """Installs what is missing of {package: why}, by apt, after saying so."""
    wanted = missing(reasons)
    if not wanted:
        return
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    command = as_root(environment + ["apt-get", "-q", "-y", "--no-install-recommends", "install", *wanted],
                      f"installing {' '.join(wanted)}")
    for name in wanted:
        say(f"installing {name}: {reasons[name]}")
    said = apt(command)
    if said is not None:
        # On a fresh machine the lists are missing, on an old one they name files that are gone.
        unreachable = apt(as_root(environment + ["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"]))
        said = apt(command)
    if said is not None:
        print(unreachable or said)
        raise SetupError(f"apt-get could not install {' '.join(wanted)} (its last lines are above): check the network "
                         "and the system's package sources, try 'apt-get install' by hand, then run this again")
    remember(wanted)


def remember(names):
    """For whoever wants to remove everything again."""
    if not names:
        return
    cache_dir().mkdir(parents=True, exist_ok=True)
    with open(cache_dir() / "installed-packages", "a", encoding="utf-8") as listing:
        listing.writelines(f"{name}\n" for name in names)


def apt(command):
    """None, or the last lines of what apt said when it failed. Meanwhile a terminal shows what it is at."""
    width = shutil.get_terminal_size().columns - 1
    last = collections.deque(maxlen=10)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as process:
        for line in process.stdout:
            last.append(line.rstrip())
            if sys.stdout.isatty():
                print(f"\r{last[-1][:width].ljust(width)}", end="\r", flush=True)
    if sys.stdout.isatty():
        print(" " * width, end="\r", flush=True)
    return "\n".join(last) if process.returncode else None


def set_up(host_suite):
    reasons = {**BUILD, **LINT}
    if host_suite == "trixie":
        reasons = {ON_TRIXIE.get(name, name): why for name, why in reasons.items()}
        reasons.pop("clang-format-14")
    if os.environ.get("PATH") and not shutil.which("apt-get"):
        raise SetupError("there is no apt-get here: utrace is set up on Debian 12 or 13")
    remember(os.environ.get("UTRACE_INSTALLED", "").split())  # by tools/setup, to run this at all
    install(reasons)
    say(f"packages: all {len(reasons)} are installed")
