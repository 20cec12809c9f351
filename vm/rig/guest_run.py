# SPDX-License-Identifier: Apache-2.0
"""One run in the guest: from the wishes of the command line to how it ended."""

import dataclasses
import pathlib
import shutil
import tempfile
import time

import cpio
import disks
import splats
from errors import HANG, LOST, NOT_RUN, SPLAT, RigError
from kernel import cache_dir
from machine import Machine
from session import Watch

# A boot that never came up is the emulator's or the host's accident; one that had begun is never repeated.
BOOTS = 3
KEPT_RUNS = 20
GUEST_PATH = "/payload/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass
class Wishes:
    """What one run is to be."""
    kernel: object
    command: list
    smp: int = 2
    memory: str = "1G"
    timeout: float = 300
    icount: bool = False
    shell: bool = False
    leaks: bool = False
    verdict: bool = False  # the command writes result lines of its own, to its descriptor 3
    load_module: bool = True
    copies: list = dataclasses.field(default_factory=list)
    environment: list = dataclasses.field(default_factory=list)
    init: pathlib.Path = None
    payload: pathlib.Path = None


@dataclasses.dataclass
class Outcome:
    """How a run ended: the exit status for it, and what to say of it (empty when the command simply ended)."""
    status: int
    message: str = ""
    splats: list = dataclasses.field(default_factory=list)
    logs: pathlib.Path = None


def guest_root(host):
    image = cache_dir() / "guest" / f"{host}.img"
    if not image.exists():
        raise RigError(f"no root disk for the guest in {image.parent}: run 'tools/setup qemu guest'")
    return image


class GuestRun:
    """A run with its folder of logs, which stays only when there is something to look at."""

    def __init__(self, wishes, on_output, on_line, terminal=None):
        self.wishes = wishes
        self.on_output = on_output
        self.on_line = on_line
        self.terminal = terminal
        self.log_text = ""
        runs = cache_dir() / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        for old in sorted(runs.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT_RUNS]:
            shutil.rmtree(old, ignore_errors=True)
        stamp = time.strftime("%m%d-%H%M%S-")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"{stamp}{wishes.kernel.series}-", dir=runs))

    def run(self):
        keep = True
        try:
            mounts = self.make_disks_()
            self.write_initramfs_(mounts)
            outcome = self.boot_(mounts)
            keep = bool(outcome.message)
            self.log_text = max(self.dir.glob("kernel.log*"), key=lambda path: path.stat().st_mtime_ns).read_text(
                errors="replace")
            return outcome
        finally:
            for image in self.dir.glob("*.img"):
                image.unlink()
            (self.dir / "initramfs").unlink(missing_ok=True)
            if not keep:
                shutil.rmtree(self.dir, ignore_errors=True)

    def make_disks_(self):
        """(serial, image, where) of each disk, in the order of mounting."""
        mounts = [("root", guest_root(self.wishes.kernel.host), "/")]
        if self.wishes.kernel.modules_image:
            mounts.append(("modules", self.wishes.kernel.modules_image, "/lib/modules"))
        copies = [("payload", self.wishes.payload, "/payload")] if self.wishes.payload else []
        for index, folder in enumerate(self.wishes.copies):
            copies.append((f"with{index}", folder, f"/with/{folder.name}"))
        for serial, folder, where in copies:
            image = self.dir / f"{serial}.img"
            disks.pack(folder, image)
            mounts.append((serial, image, where))
        return mounts

    def write_initramfs_(self, mounts):
        wishes = self.wishes
        records = [f"mount={serial}:{where}" for serial, _, where in mounts]
        records += [f"env={variable}" for variable in
                    ["HOME=/root", f"PATH={GUEST_PATH}", "LANG=C.UTF-8",
                     f"UTRACE_KERNEL={wishes.kernel.series}",
                     f"UTRACE_TIMEOUT_MULTIPLIER={wishes.kernel.timeout_multiplier}", *wishes.environment]]
        if wishes.load_module and wishes.payload and (wishes.payload / "utrace.ko").exists():
            records.append("module=/payload/utrace.ko")
        if wishes.shell:
            size = self.terminal.size()
            records += ["shell=1", f"rows={size.lines}", f"columns={size.columns}"]
        if wishes.verdict:
            records.append("verdict=1")
        command = ["python3", "/payload/rig/find_leaks.py", *wishes.command] if wishes.leaks else wishes.command
        records += [f"arg={argument}" for argument in command]
        job = b"".join(record.encode(errors="surrogateescape") + b"\0" for record in records)
        files = [("init", wishes.init.read_bytes(), 0o755), ("job", job, 0o644)]
        for module in sorted((wishes.kernel.dir / "boot-modules").glob("*.ko")):
            files.append((f"modules/{module.name}", module.read_bytes(), 0o644))
        (self.dir / "initramfs").write_bytes(cpio.archive(["modules", "root", "dev", "proc", "sys"], files))

    def boot_(self, mounts):
        said = []
        for attempt in range(1, BOOTS + 1):
            log_path = self.dir / f"kernel.log{'' if attempt == 1 else '.' + str(attempt)}"
            machine = Machine(self.wishes.kernel, self.dir / "initramfs", [mount[:2] for mount in mounts],
                              self.wishes.smp, self.wishes.memory, self.wishes.icount, self.dir,
                              "" if self.wishes.leaks else self.wishes.kernel.no_leak_scan)
            watch = Watch(machine, log_path, self.on_output, self.on_line, self.terminal)
            try:
                watch.run(self.wishes.kernel.boot_seconds, self.wishes.timeout)
                machine.wait(2)
            finally:
                machine.close()
            if watch.begun is not None or watch.left:
                return self.judge_(watch, log_path)
            said.append(watch.failure or ("did not come up in time" if watch.timed_out else "ended before it was up"))
        qemu = machine.stderr_path.read_text(errors="replace").strip()[-300:]
        return Outcome(LOST, f"the guest never came up in {BOOTS} boots ({'; '.join(said)})"
                       + (f"; QEMU says: {qemu}" if qemu else ""), logs=self.dir)

    def judge_(self, watch, log_path):
        log = log_path.read_text(errors="replace")
        hits = splats.find(log)
        ending = ""
        status = watch.status
        if watch.left:
            status = 0
        elif watch.timed_out:
            ending = f"nothing ended it within {self.wishes.timeout:g} s: the guest hangs, or needs a larger --timeout"
            status = HANG
        elif watch.failure is not None:
            # A module that refuses to load says why in the kernel's log only.
            said = [line for line in log.splitlines() if "] utrace: " in line][-4:]
            ending = "\n".join([f"the guest could not start the run: {watch.failure}", *said])
            status = NOT_RUN
        elif watch.output_missing:
            ending = f"{watch.output_missing} bytes of the output were lost on their way out of the guest"
            status = LOST
        elif watch.status is None:
            ending = "the guest ended without telling how the run ended (no trailer)"
            status = LOST
        elif self.wishes.leaks and "leak scan: done" not in log:
            ending = "the search for leaks did not come to its end: it says why in the command's output"
            status = NOT_RUN
        if hits:
            # The line that says what happened, not the scissors above it.
            number, line = next((hit for hit in hits if "[ cut here ]" not in hit[1]), hits[0])
            more = f" and {len(hits) - 1} more" if len(hits) > 1 else ""
            besides = f"; besides, {ending}" if ending else ""
            ending = f"kernel splat: {log_path.name}:{number}: {line}{more}{besides}"
            status = SPLAT
        return Outcome(status, ending, hits, self.dir)
