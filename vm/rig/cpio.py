# SPDX-License-Identifier: Apache-2.0
"""The initramfs: a newc cpio archive written directly, since what goes into it is never a file tree of the host."""


def entry(name, data=b"", mode=0o100644, inode=0):
    encoded = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    head = header + encoded
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def archive(folders, files):
    """files: (name, bytes, permission bits) triples. A folder comes before what is in it."""
    parts = [entry(name, mode=0o040755, inode=index + 1) for index, name in enumerate(folders)]
    for index, (name, data, bits) in enumerate(files):
        parts.append(entry(name, data, 0o100000 | bits, inode=1000 + index))
    parts.append(entry("TRAILER!!!", mode=0))
    return b"".join(parts)
