# SPDX-License-Identifier: Apache-2.0
"""Debian roots in the cache: one to build modules in for each suite that is not the host's, one that the guest runs."""

import hashlib
import os

from archive import Archive
from host import as_root, need_disk, run, say

BUILD_PACKAGES = ["gcc", "make", "libc6-dev", "pahole", "binutils", "kmod", "bc", "libelf1"]
COMPILER = {"bookworm": "gcc-12", "trixie": "gcc-14"}
# Room in the guest's root beyond what is installed; the image is sparse.
GUEST_SPARE_BYTES = 4 << 30


def suites_of(suite):
    return [suite, f"{suite}-updates", f"{suite}-security"]


def bootstrap(archive, suite, packages, target, hooks=()):
    """Unpacks and configures a minimal system with these packages into the folder target."""
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", "--architectures=amd64", "--format=directory",
            f"--include={','.join(packages)}", "--aptopt=Acquire::Languages \"none\"",
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*"]
    for hook in hooks:
        argv.append(f"--customize-hook={hook}")
    argv += [suite, str(target), str(archive.source_list())]
    run(as_root(["rm", "-rf", target]), f"making room at {target}", "remove it by hand")
    run(as_root(argv), f"making a {suite} root in {target}", "check the network, then run this again")


def set_up_build_root(suite, cache):
    target = cache / "roots" / suite
    packages = BUILD_PACKAGES + [COMPILER[suite]]
    stamp = cache / "roots" / f"{suite}.packages"
    if target.exists() and stamp.exists() and stamp.read_text() == " ".join(packages):
        say(f"build root {suite} is here")
        return
    need_disk(cache, 2)
    say(f"build root {suite}: making one, since this host's compiler does not fit its kernels")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{suite}.new")
    bootstrap(Archive(cache, suites_of(suite)), suite, packages, new)
    run(as_root(["rm", "-rf", target]), f"replacing {target}", "remove it by hand")
    run(as_root(["mv", new, target]), f"putting {target} in place", "remove it by hand")
    stamp.write_text(" ".join(packages))
    say(f"build root {suite}: done")


def guest_packages(archive, checkout):
    names = []
    for line in (checkout / "vm" / "guest" / "packages").read_text().splitlines():
        name = line.split("#")[0].strip()
        if name:
            names.append(name)
    # Our programs are linked to the host suite's Abseil, whose package carries its date in its name.
    needs = archive.need("libabsl-dev")["Depends"]
    names.append(needs.split(",")[0].split()[0])
    return names


def set_up_guest(suite, cache, checkout):
    """The guest's root disk: the host's own suite, so that programs built here run there."""
    archive = Archive(cache, suites_of(suite))
    packages = guest_packages(archive, checkout)
    hook = checkout / "vm" / "guest" / "customize"
    key = hashlib.sha256("\n".join([suite, *packages, hook.read_text()]).encode()).hexdigest()
    folder = cache / "guest"
    folder.mkdir(parents=True, exist_ok=True)
    image, stamp = folder / f"{suite}.img", folder / f"{suite}.key"
    if image.exists() and stamp.exists() and stamp.read_text() == key:
        say(f"guest root: {suite} is here")
        return
    need_disk(cache, 3)
    say(f"guest root: making one of {suite} with {len(packages)} packages")
    tree, new = folder / f"{suite}.tree", folder / f"{suite}.img.new"
    bootstrap(archive, suite, packages, tree, [f'{hook} "$1"'])
    used = int(run(as_root(["du", "-s", "--block-size=1", tree]), f"measuring {tree}", "see the message").split()[0])
    blocks = (used * 5 // 4 + GUEST_SPARE_BYTES) // 4096
    new.unlink(missing_ok=True)
    run(as_root(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-b", "4096", "-m", "0", "-L", "guest",
                 "-d", tree, new, str(blocks)]), f"packing {tree} into {new}", "is there room on the disk?")
    run(as_root(["chown", f"{os.getuid()}:{os.getgid()}", new]), f"taking over {new}", "see the message")
    run(as_root(["rm", "-rf", tree]), f"removing {tree}", "remove it by hand")
    new.rename(image)
    stamp.write_text(key)
    say(f"guest root: {suite}, {os.stat(image).st_blocks * 512 >> 20} MB")
