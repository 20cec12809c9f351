# SPDX-License-Identifier: Apache-2.0
"""Private prefixes: the newer libbpf, bpftool and vmlinux.h, and the QEMU that runs 6.12 guests right."""

import json
import re
import shutil

from archive import Archive
from host import need_disk, replace_tree, run, say
from packages import install

# bookworm's own libbpf lacks struct_ops links, and its QEMU 7.2 corrupts more than half of the 6.12 guests.
SUITE = {"bookworm": "bookworm-backports", "trixie": "trixie"}
PREFIXES = {
    "deps": ["libbpf1", "libbpf-dev", "bpftool", "linux-bpf-dev"],
    "qemu": ["qemu-system-x86", "qemu-system-data", "seabios"],
}


def set_up(prefix, host_suite, cache):
    archive = Archive(cache, [SUITE[host_suite]])
    base = Archive(cache, [host_suite])
    archive.look_up(PREFIXES[prefix])
    sources = {package: archive if archive.show(package) else base for package in PREFIXES[prefix]}
    fields = {package: source.need(package) for package, source in sources.items()}
    versions = {package: its["Version"] for package, its in fields.items()}
    # First of all: a cache may have come from another machine, which had them.
    needed = {name for its in fields.values() for name in libraries(its)}
    install({name: f"the private {prefix} is linked to it" for name in sorted(needed.difference(versions))})
    target = cache / prefix
    record = target / "packages.json"
    if record.exists() and json.loads(record.read_text()) == versions:
        say(f"{prefix}: {' '.join(f'{p} {v}' for p, v in list(versions.items())[:1])} is here")
        return
    need_disk(cache, 1)
    new = cache / f"{prefix}.new"
    shutil.rmtree(new, ignore_errors=True)
    for package, source in sources.items():
        source.unpack(package, new)
    (new / "packages.json").write_text(json.dumps(versions, indent=1) + "\n")
    if prefix == "qemu":
        check_runs(new / "usr" / "bin" / "qemu-system-x86_64")
    else:
        tool = new / "usr" / "sbin" / "bpftool"
        if not tool.exists():
            tool.symlink_to("../bin/bpftool")
        check_runs(tool, "version")
    replace_tree(new, target)
    say(f"{prefix}: got {', '.join(f'{p} {v}' for p, v in versions.items())}")


def libraries(fields):
    """The libraries that a package's programs are linked to. They are taken from the system's own suite, even for a
    package of another: that needs no newer ones, as check_runs() sees."""
    for need in fields.get("Depends", "").split(","):
        name = re.split(r"[ :(|]", need.strip(), maxsplit=1)[0]
        if re.match(r"z?lib", name):
            yield name


def check_runs(program, argument="--version"):
    """A private program lives on the system's libraries: see that it starts."""
    run([program, argument], f"starting {program}", f"compare 'ldd {program}' with tools/setup.d/packages.py")
