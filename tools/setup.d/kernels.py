# SPDX-License-Identifier: Apache-2.0
"""A Debian kernel, its headers and modules, unpacked into the cache for building against and booting."""

import lzma
import os
import pathlib
import re
import shutil
import struct
import tempfile

from archive import Archive
from host import SetupError, need_disk, replace_tree, run, say

# Followed in Depends beside the kernel's own packages would be an initramfs generator, base files and a compiler.
FOREIGN = re.compile(r"^linux-(base|initramfs-tool|compiler-.*|.*-unsigned)$")

LZ4_LEGACY_MAGIC = b"\x02\x21\x4c\x18"


def closure(archive, names):
    """The linux-* packages that the named ones depend on, themselves included."""
    todo, seen = set(names), {}
    while todo:
        archive.look_up(todo)
        found = {name: archive.need(name) for name in todo}
        seen.update((name, fields["Version"]) for name, fields in found.items())
        depends = ",".join(fields.get("Depends", "") for fields in found.values()).split(",")
        firsts = {re.split(r"[ :(|]", alternatives.strip(), maxsplit=1)[0] for alternatives in depends}
        todo = {name for name in firsts if name.startswith("linux-") and not FOREIGN.match(name)}.difference(seen)
    return seen


def set_up(kernel, cache):
    """Brings the cache's copy of this series up to what the archive has; returns the version."""
    archive = Archive(cache, kernel.suites)
    packages = closure(archive, [f"linux-image-{kernel.flavour}", f"linux-headers-{kernel.flavour}"])
    wanted = "".join(f"{name} {version}\n" for name, version in sorted(packages.items()))
    wanted += f"boot-modules {' '.join(kernel.boot_modules)}\n"
    record = kernel.dir / "packages"
    if record.exists() and record.read_text() == wanted:
        say(f"kernel {kernel.series}: {kernel.version} is here")
        return kernel.version
    need_disk(cache, 3)
    say(f"kernel {kernel.series}: fetching {packages[f'linux-image-{kernel.flavour}']} from {kernel.suites[0]}")
    new = kernel.dir.with_name(kernel.series + ".new")
    shutil.rmtree(new, ignore_errors=True)
    root = new / "root"
    for name in packages:
        archive.unpack(name, root)
    version = lay_out_image(kernel, new, root)
    lay_out_headers(kernel, new, root, version, cache)
    (new / "packages").write_text(wanted)
    (new / "version").write_text(version + "\n")
    kernel.dir.parent.mkdir(parents=True, exist_ok=True)
    replace_tree(new, kernel.dir)
    say(f"kernel {kernel.series}: got {version}")
    return version


def lay_out_image(kernel, new, root):
    """vmlinuz, config, the modules the initramfs loads, and a disk with all of the modules."""
    # Up to 6.12 the image lies in /boot and the modules in /lib/modules or, merged, below /usr; in 7.3 all of it does.
    modules = next(path for path in (root / "usr" / "lib" / "modules", root / "lib" / "modules") if path.exists())
    images = [*(root / "boot").glob("vmlinuz-*"), *modules.glob("*/vmlinuz")]
    if len(images) != 1:
        raise SetupError(f"the packages of kernel {kernel.series} hold {len(images)} kernels, not one: "
                         "the archive's layout has changed, tools/setup.d/kernels.py must learn it")
    in_boot = images[0].parent.name == "boot"
    version = images[0].name.removeprefix("vmlinuz-") if in_boot else images[0].parent.name
    config = images[0].with_name(f"config-{version}" if in_boot else "config")
    images[0].rename(new / "vmlinuz")
    config.rename(new / "config")
    stage = new / "stage"
    (stage / "lib").mkdir(parents=True)
    modules.rename(stage / "lib" / "modules")
    for link in ("build", "source"):
        (stage / "lib" / "modules" / version / link).unlink(missing_ok=True)
    run(["depmod", "-b", stage, version], f"listing the modules of {version}", "is kmod installed?")
    collect_boot_modules(kernel, stage / "lib" / "modules" / version, new / "boot-modules")
    make_modules_image(stage / "lib" / "modules", new / "modules.img")
    shutil.rmtree(stage)
    shutil.rmtree(root / "boot", ignore_errors=True)
    return version


def make_modules_image(tree, image):
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    blocks = (size * 5 // 4 + (16 << 20)) // 4096
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-b", "4096", "-d", tree, image, str(blocks)],
        f"packing the modules into {image}", "is e2fsprogs installed, and is there room?")


def collect_boot_modules(kernel, tree, into):
    """Copies what the initramfs must load, uncompressed and numbered in the order of loading, less what is built in."""
    files, builtin = {}, set()
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        files[module_name(path)] = (path, [module_name(need) for need in needs.split()])
    for line in (tree / "modules.builtin").read_text().splitlines():
        builtin.add(module_name(line))
    order = []

    def visit(name):
        if name in builtin or name in order:
            return
        if name not in files:
            raise SetupError(f"kernel {kernel.series} has no module {name}: correct boot-modules in "
                             f"vm/kernels/{kernel.series}.conf")
        for need in files[name][1]:
            visit(need)
        order.append(name)

    for name in kernel.boot_modules:
        visit(name)
    into.mkdir()
    for index, name in enumerate(order):
        source = tree / files[name][0]
        data = source.read_bytes()
        if source.suffix == ".xz":
            data = lzma.decompress(data)
        elif source.suffix != ".ko":
            raise SetupError(f"module {source.name} is packed in a way that is not known: "
                             "tools/setup.d/kernels.py must learn it")
        (into / f"{index:02}-{name}.ko").write_bytes(data)


def module_name(path):
    return pathlib.PurePath(path).name.split(".ko")[0].replace("-", "_")


def lay_out_headers(kernel, new, root, version, cache):
    """Makes the headers usable where they lie, and complete enough that modules get BTF."""
    headers = root / "usr" / "src" / f"linux-headers-{version}"
    makefile = headers / "Makefile"
    # The final place, not that of the half-made copy.
    home = kernel.dir / "root" / "usr" / "src"
    makefile.write_text(re.sub(r"(?<![\w/])/usr/src/", f"{home}/", makefile.read_text()))
    os.symlink(pathlib.Path("root") / "usr" / "src" / headers.name, new / "build")
    if not (headers / "vmlinux").exists():
        write_btf_vmlinux(new / "vmlinuz", headers / "vmlinux")
    resolver = headers / "tools" / "bpf" / "resolve_btfids" / "resolve_btfids"
    if not resolver.exists():
        borrow_resolve_btfids(resolver, cache)


def write_btf_vmlinux(bzimage, target):
    """Debian's 6.1 headers come without the vmlinux that pahole and resolve_btfids want: its .BTF is all they read."""
    data = bzimage.read_bytes()
    setup_bytes = (data[0x1f1] + 1) * 512
    offset, length = struct.unpack_from("<II", data, 0x248)
    payload = data[setup_bytes + offset:setup_bytes + offset + length]
    if not payload.startswith(LZ4_LEGACY_MAGIC):
        raise SetupError(f"{bzimage} is not packed with lz4: tools/setup.d/kernels.py must learn how it is")
    folder = target.parent
    with tempfile.NamedTemporaryFile(dir=folder) as packed, tempfile.NamedTemporaryFile(dir=folder) as whole:
        # The kernel's build appends the unpacked size, which lz4 would take for a broken block.
        packed.write(payload[:-4])
        packed.flush()
        run(["lz4", "-q", "-d", "-f", packed.name, whole.name], f"unpacking {bzimage}", "is lz4 installed?")
        run(["objcopy", "--only-section=.BTF", whole.name, target], f"taking the BTF out of {bzimage}",
            "is binutils installed?")


def borrow_resolve_btfids(target, cache):
    """Debian's 6.1 kbuild does not ship resolve_btfids; the one of 6.12 for the same release does the same job."""
    archive = Archive(cache, ["bookworm-backports"])
    name = next(name for name in closure(archive, ["linux-headers-cloud-amd64"]) if name.startswith("linux-kbuild-"))
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive.unpack(name, pathlib.Path(scratch))
        found = list(pathlib.Path(scratch).rglob("resolve_btfids/resolve_btfids"))
        if not found:
            raise SetupError(f"{name} has no resolve_btfids any more: tools/setup.d/kernels.py must find another")
        # The folder is a link into the kbuild package, unpacked in the same root.
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(found[0], target)
