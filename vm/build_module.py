#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds a kernel module out of its source tree, against a kernel in the cache, with the compiler that fits it."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "rig"))

from kernel import CHECKOUT, Kernel, cache_dir  # noqa: E402

ENTER_ROOT = pathlib.Path(__file__).resolve().parent / "enter_root"


def link_tree(source, target):
    """Makes target hold a link for each source file, keeping what kbuild made there before."""
    wanted = set()
    for base, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        there = target / os.path.relpath(base, source)
        there.mkdir(parents=True, exist_ok=True)
        for name in files:
            link, real = there / name, pathlib.Path(base) / name
            wanted.add(link)
            if not (link.is_symlink() and os.readlink(link) == str(real)):
                link.unlink(missing_ok=True)
                link.symlink_to(real)
    for path in target.rglob("*"):
        # A source file that was removed must not be built on.
        if path.is_symlink() and path not in wanted:
            path.unlink()


def sections(module):
    argv = ["readelf", "--sections", "--wide", str(module)]
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def beside_compiler(kernel, folder, argv):
    """The command where the kernel's compiler is; `folder` and the checkout are there too."""
    if not kernel.build_root:
        return argv
    return [str(ENTER_ROOT), str(kernel.build_root), str(CHECKOUT), str(folder), str(cache_dir() / "kernels"), "--",
            *argv]


def build(kernel, options):
    tree = options.output.parent / f"{options.name}.tree"
    link_tree(options.source, tree / options.source.name)
    link_tree(CHECKOUT / "include", tree / "include")
    headers = kernel.headers.resolve()
    argv = ["make", "-C", str(headers), f"M={tree / options.source.name}", f"-j{options.jobs}", *options.make]
    argv = beside_compiler(kernel, options.output.parent, argv)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors="replace").replace(str(tree / options.source.name), str(options.source))
    if done.returncode:
        sys.stderr.write(text)
        sys.exit(f"building {options.name}.ko for {kernel.version}: make ended with status {done.returncode} "
                 "(output above)")
    for line in text.splitlines():
        if "warning:" in line:
            print(line, file=sys.stderr)
    built = tree / options.source.name / f"{options.name}.ko"
    if " .BTF " not in sections(built):
        sys.exit(f"{options.name}.ko for {kernel.version} has no BTF, so its BPF side would silently do nothing: see "
                 f"whether {headers}/vmlinux and pahole are there ('tools/setup packages kernel:{kernel.series}'); "
                 f"make said:\n{text}")
    # The guest reads it at each boot: the debug sections are ten times the rest.
    stripped = options.output.with_suffix(".new")
    subprocess.run(["strip", "--strip-debug", "-o", str(stripped), str(built)], check=True)
    shutil.move(stripped, options.output)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--name", required=True, help="the module's name; Kbuild makes NAME.ko")
    parser.add_argument("--source", required=True, type=pathlib.Path, help="the folder with the Kbuild file")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("make", nargs="*", help="more for make, such as NAME=VALUE")
    options = parser.parse_args()
    kernel = Kernel(options.kernel)
    if not kernel.present or kernel.build_root and not kernel.build_root.exists():
        sys.exit(f"kernel {kernel.series} is not in {kernel.dir}: run 'tools/setup kernel:{kernel.series}'")
    build(kernel, options)


if __name__ == "__main__":
    main()
