# SPDX-License-Identifier: Apache-2.0
"""tools/setup: see --help."""

import argparse
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "vm" / "rig"))

import built_kernel  # noqa: E402
import deps  # noqa: E402
import host  # noqa: E402
import kernels  # noqa: E402
import packages  # noqa: E402
import roots  # noqa: E402
from kernel import Kernel, cache_dir, host_suite, known_series  # noqa: E402

DEFAULT = ["packages", "deps", "qemu", "guest", "kernel:6.12"]


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="tools/setup",
        description="Sets up what utrace is built and tested with: Debian packages by apt, everything else "
                    f"in {cache_dir()} (UTRACE_CACHE moves it). Repeating it is cheap and brings newer versions.",
        epilog="WHAT is packages (of the system), deps (private libbpf, bpftool, vmlinux.h), qemu, guest (its root "
               f"disk), kernel:SERIES, root:SERIES (the build root that series needs, if any), or all (but debug and "
               f"kcsan, whose kernels are built here and take half an hour). Series: {', '.join(known_series())}. "
               f"Without WHAT: {' '.join(DEFAULT)}.")
    parser.add_argument("what", nargs="*", metavar="WHAT")
    return parser, parser.parse_args(argv).what or DEFAULT


def do(what, suite, cache):
    part, _, series = what.partition(":")
    if part == "packages":
        packages.set_up(suite)
    elif part in deps.PREFIXES:
        deps.set_up(part, suite, cache)
    elif part == "guest":
        roots.set_up_guest(suite, cache, CHECKOUT)
    elif part == "root":
        kernel = Kernel(series, suite)
        if kernel.build_root:
            roots.set_up_build_root(kernel.toolchain, cache)
    elif part == "kernel":
        kernel = Kernel(series, suite)
        if kernel.build_root:
            roots.set_up_build_root(kernel.toolchain, cache)
        (built_kernel if kernel.source else kernels).set_up(kernel, cache)


def expand(names, parser):
    result = []
    for name in names:
        if name == "all":
            result += ["packages", "deps", "qemu", "guest"]
            result += [f"kernel:{series}" for series in known_series() if not Kernel(series).source]
            continue
        part, _, series = name.partition(":")
        if part in ("kernel", "root") and series not in known_series() or \
                part not in ("packages", "deps", "qemu", "guest", "kernel", "root"):
            parser.error(f"there is nothing called '{name}' to set up")
        result.append(name)
    return result


def main():
    parser, names = parse(sys.argv[1:])
    wanted = expand(names, parser)
    cache = cache_dir()
    suite = host_suite()
    try:
        host.check_machine(suite)
        host.need_disk(cache, 1)
        for what in wanted:
            with host.locked(cache, what):
                do(what, suite, cache)
    except host.SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run it again to go on")


if __name__ == "__main__":
    main()
