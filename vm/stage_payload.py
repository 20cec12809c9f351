#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stage_payload.py DIR FILE=PATH...: makes DIR hold exactly these files, programs without their debug sections."""

import pathlib
import shutil
import subprocess
import sys


def is_newer(source, target):
    return not target.exists() or source.stat().st_mtime_ns > target.stat().st_mtime_ns


def stage(source, target):
    if not is_newer(source, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    with open(source, "rb") as file:
        is_program = file.read(4) == b"\x7fELF" and source.suffix not in (".ko", ".o")
    if is_program:
        # The symbol table stays: uprobes and backtraces in the guest want it.
        subprocess.run(["strip", "--strip-debug", "-o", new, source], check=True)
    else:
        shutil.copy(source, new)
    new.chmod(source.stat().st_mode & 0o777)
    new.rename(target)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for pair in sys.argv[2:]:
        source, _, path = pair.partition("=")
        stage(pathlib.Path(source), folder / path)
        wanted.add(folder / path)
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


if __name__ == "__main__":
    main()
