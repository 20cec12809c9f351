# SPDX-License-Identifier: Apache-2.0
"""Where things are in the cache, and what vm/kernels/<series>.conf says of a kernel."""

import configparser
import os
import pathlib

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CONF_DIR = CHECKOUT / "vm" / "kernels"


def cache_dir():
    """The one place outside the checkout; cmake/Cache.cmake says the same to CMake."""
    if os.environ.get("UTRACE_CACHE"):
        return pathlib.Path(os.environ["UTRACE_CACHE"]).absolute()
    if os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(os.environ["XDG_CACHE_HOME"]).absolute() / "utrace"
    return pathlib.Path.home() / ".cache" / "utrace"


def host_suite():
    """Debian's name of the release this machine runs, such as bookworm."""
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    return "unknown"


def known_series():
    return sorted(path.stem for path in CONF_DIR.glob("*.conf"))


class Kernel:
    """One kernel series: its configuration, and its folder in the cache."""

    def __init__(self, series, host=None):
        conf_path = CONF_DIR / f"{series}.conf"
        if not conf_path.exists():
            raise LookupError(f"no kernel series '{series}': known are {', '.join(known_series())}")
        conf = configparser.ConfigParser()
        conf.read(conf_path)
        self.series = series
        self.host = host or host_suite()
        kernel = conf["kernel"]
        self.flavour = kernel.get("flavour", "")
        self.cpu = kernel["cpu"]
        self.command_line = kernel.get("command-line", "")
        # What spares a run the bookkeeping for leak scans; a kernel that cannot scan has no such thing.
        self.no_leak_scan = kernel.get("no-leak-scan", "")
        self.boot_modules = kernel.get("boot-modules", "").split()
        self.boot_seconds = kernel.getint("boot-seconds")
        self.memory = kernel.get("memory", "1G")
        # How much slower than a stock kernel it is: what bounds a run or a test's patience is multiplied by it.
        self.timeout_multiplier = kernel.getint("timeout-multiplier", 1)
        # A kernel that we build has a source package and fragments of its configuration instead of a flavour.
        self.source = kernel.get("source", "")
        self.fragments = kernel.get("fragments", "").split()
        self.make_variables = kernel.get("make", "").split()
        section = f"host {self.host}"
        where = conf[section] if section in conf else conf["host any"]
        self.suites = where["suites"].split()
        self.toolchain = where["toolchain"]
        self.dir = cache_dir() / "kernels" / series

    @property
    def present(self):
        return (self.dir / "version").exists()

    @property
    def version(self):
        return (self.dir / "version").read_text().strip()

    @property
    def image(self):
        return self.dir / "vmlinuz"

    @property
    def headers(self):
        return self.dir / "build"

    @property
    def modules_image(self):
        """The kernel's own modules as a disk for the guest; a kernel without modules has none."""
        path = self.dir / "modules.img"
        return path if path.exists() else None

    @property
    def build_root(self):
        """The Debian root whose compiler fits this kernel, or None where the host's own does."""
        return None if self.toolchain == self.host else cache_dir() / "roots" / self.toolchain
