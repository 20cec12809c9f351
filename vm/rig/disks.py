# SPDX-License-Identifier: Apache-2.0
"""Disks for the guest, made from folders of the host without mounting anything."""

import os
import pathlib
import stat
import subprocess

from errors import RigError

BLOCK = 4096
INODE_BYTES = 256
# What the guest may add to a disk beyond the folder's own content; unwritten blocks take no room.
SPARE_BYTES = 256 << 20


def measure(folder):
    """Bytes in whole blocks, and number of files, of everything below the folder."""
    size, count = 0, 1
    for base, folders, files in os.walk(folder, onerror=raise_error):
        for name in folders + files:
            info = os.lstat(os.path.join(base, name))
            count += 1
            # A folder of many long names takes more than one block; so does a sparse file's map.
            size += BLOCK + (info.st_size + BLOCK - 1) // BLOCK * BLOCK if stat.S_ISREG(info.st_mode) else \
                BLOCK + info.st_size
    return size, count


def raise_error(error):
    raise error


def pack(folder, image):
    """Writes the folder's content, with its modes, owners, links and attributes, into a new ext4 image."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise RigError(f"{folder} is not a folder: give --with the folder to copy into the guest")
    try:
        size, count = measure(folder)
    except OSError as error:
        raise RigError(f"reading {error.filename} for the guest's copy of {folder}: {error.strerror}") from error
    inodes = count + 4096
    blocks = (size * 9 // 8 + inodes * INODE_BYTES + SPARE_BYTES) // BLOCK
    run_(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-b", str(BLOCK), "-m", "0", "-N", str(inodes),
          "-I", str(INODE_BYTES), "-E", "root_owner=0:0", "-d", str(folder), str(image), str(blocks)], folder, image)
    # The guest's copy holds what the folder holds, so not this, which only fsck would want.
    if not (folder / "lost+found").exists():
        run_(["debugfs", "-w", "-R", "rmdir lost+found", str(image)], folder, image)


def run_(argv, folder, image):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
    if done.returncode:
        raise RigError(f"packing {folder} into a disk: {argv[0]} ended with status {done.returncode}: "
                       f"{done.stdout.strip()[-300:]}: is there room in {image.parent}, and may all of it be read?")
