# SPDX-License-Identifier: Apache-2.0
"""A kernel built here from the archive's source package and our fragments, for what no stock kernel checks."""

import hashlib
import os
import shutil
import subprocess
import time

from archive import Archive
from host import SetupError, need_disk, run, say
from kernel import CONF_DIR

# The same input gives the same kernel, whoever builds it and when.
RECIPE = 1  # raised when the steps below come to build something else
FIXED = {"KBUILD_BUILD_TIMESTAMP": "2026-01-01", "KBUILD_BUILD_USER": "utrace", "KBUILD_BUILD_HOST": "utrace"}


def key_of(kernel, version):
    parts = [version, str(RECIPE)]
    parts += [path.read_text() for path in fragment_files(kernel)] + kernel.make_variables
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def fragment_files(kernel):
    return [CONF_DIR / f"{name}.frag" for name in kernel.fragments]


def set_up(kernel, cache):
    archive = Archive(cache, kernel.suites)
    version = archive.need(kernel.source)["Version"]
    key = key_of(kernel, version)
    record = kernel.dir / "key"
    if kernel.present and record.exists() and record.read_text() == key:
        say(f"kernel {kernel.series}: {kernel.version} is here")
        return kernel.version
    need_disk(cache, 6)
    shutil.rmtree(kernel.dir, ignore_errors=True)
    source, objects = kernel.dir / "source", kernel.dir / "build"
    unpack_source(kernel, archive, source)
    objects.mkdir()
    configure(kernel, source, objects)
    compile_kernel(kernel, version, source, objects)
    release = (objects / "include" / "config" / "kernel.release").read_text().strip()
    shutil.copy(objects / "arch" / "x86" / "boot" / "bzImage", kernel.dir / "vmlinuz")
    shutil.copy(objects / ".config", kernel.dir / "config")
    drop_objects(objects)
    record.write_text(key)
    # Last: this file says that all the rest is there.
    (kernel.dir / "version").write_text(release + "\n")
    say(f"kernel {kernel.series}: built {release}")
    return release


def unpack_source(kernel, archive, source):
    package = kernel.dir / "package"
    say(f"kernel {kernel.series}: unpacking {kernel.source} {archive.unpack(kernel.source, package)}")
    tarballs = list(package.rglob(f"{kernel.source}.tar.xz"))
    if not tarballs:
        raise SetupError(f"{kernel.source} holds no {kernel.source}.tar.xz: the package's layout has changed, "
                         "tools/setup.d/built_kernel.py must learn it")
    source.mkdir()
    run(["tar", "-xJf", tarballs[0], "-C", source, "--strip-components=1"],
        f"unpacking {tarballs[0].name}", "is the disk full?")
    shutil.rmtree(package)


def configure(kernel, source, objects):
    fragments = objects / "fragments"
    fragments.write_text("".join(path.read_text() for path in fragment_files(kernel)))
    make(["allnoconfig"], kernel, source, objects, {"KCONFIG_ALLCONFIG": str(fragments)})
    got = set((objects / ".config").read_text().splitlines())
    for line in fragments.read_text().splitlines():
        # kconfig drops silently what lacks a dependency, and a check that is not there finds nothing.
        if line.startswith("CONFIG_") and not line.endswith("=n") and line not in got:
            raise SetupError(f"kernel {kernel.series}: {line} did not survive the configuration: a dependency of it is "
                             f"missing in its fragments, vm/kernels/{kernel.series}.conf")


def compile_kernel(kernel, version, source, objects):
    jobs = os.cpu_count() or 1
    say(f"kernel {kernel.series}: building {version} at low priority on {jobs} CPUs; about an hour of CPU time")
    begin = time.monotonic()
    make([f"-j{jobs}", *kernel.make_variables, "bzImage", "modules"], kernel, source, objects, {})
    say(f"kernel {kernel.series}: built in {(time.monotonic() - begin) / 60:.0f} minutes")


def make(targets, kernel, source, objects, environment):
    log = kernel.dir / "build.log"
    with open(log, "ab") as output:
        done = subprocess.run(["nice", "-n", "19", "make", "-s", "-C", source, f"O={objects}", *targets],
                              env={**os.environ, **FIXED, **environment}, stdin=subprocess.DEVNULL,
                              stdout=output, stderr=output)
    if done.returncode:
        tail = log.read_text(errors="replace").splitlines()[-10:]
        print("\n".join(tail))
        raise SetupError(f"building kernel {kernel.series}: make {targets[-1]} ended with status {done.returncode} "
                         f"(the end of {log} is above): 'tools/setup packages' brings what kernel builds need")


def drop_objects(objects):
    """Modules are built against what stays; vmlinux stays whole, since it turns addresses of a report into lines."""
    for path in objects.rglob("*"):
        if path.suffix in (".o", ".a", ".cmd") and "scripts" not in path.parts and "tools" not in path.parts:
            path.unlink()
    for name in ("vmlinux.unstripped", ".tmp_vmlinux1", ".tmp_vmlinux2", ".tmp_vmlinux0"):
        (objects / name).unlink(missing_ok=True)
