# SPDX-License-Identifier: Apache-2.0
"""One QEMU process: its command line, its ports, its end."""

import ctypes
import os
import signal
import socket
import subprocess

import tsc
from errors import RigError
from kernel import cache_dir

PORTS = ("out", "verdict", "in")
PR_SET_PDEATHSIG = 1
COMMAND_LINE = ["console=ttyS0", "ignore_loglevel", "printk.devkmsg=on", "panic=-1", "oops=panic", "rdinit=/init"]


def emulator():
    prefix = cache_dir() / "qemu"
    program = prefix / "usr" / "bin" / "qemu-system-x86_64"
    if not program.exists():
        raise RigError(f"no QEMU in {prefix}: run 'tools/setup qemu guest'")
    return [str(program), "-L", f"{prefix}/usr/share/qemu", "-L", f"{prefix}/usr/share/seabios"]


class Machine:
    """A started guest. Its ports are sockets; ended with the object's close()."""

    def __init__(self, kernel, initramfs, disks, smp, memory, icount, scratch, command_line):
        words = [*COMMAND_LINE, *kernel.command_line.split(), *command_line.split()]
        if not icount:
            # Told, not measured: beside other work the guest once took it for a 66th of what it is, and a minute was
            # over for it in a second.
            words.append(f"tsc_early_khz={tsc.rate_khz()}")
        argv = emulator() + ["-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc", "-no-reboot",
                             "-cpu", kernel.cpu, "-smp", str(smp), "-m", memory,
                             "-kernel", str(kernel.image), "-initrd", str(initramfs),
                             "-append", " ".join(words)]
        # Deterministic time wants one thread for all CPUs; otherwise each CPU has its own.
        argv += ["-accel", "tcg,thread=single", "-icount", "shift=0"] if icount else ["-accel", "tcg,thread=multi"]
        ends = []
        self.log = self.socket_(argv, ends, "log")
        argv += ["-serial", "chardev:log", "-device", "virtio-serial-pci,max_ports=8"]
        for name in PORTS:
            setattr(self, "in_" if name == "in" else name, self.socket_(argv, ends, name))
            argv += ["-device", f"virtserialport,chardev={name},name={name}"]
        for serial, image in disks:
            argv += ["-drive", f"if=none,id={serial},file={image},format=raw,snapshot=on,cache=unsafe",
                     "-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        self.stderr_path = scratch / "qemu"
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, pass_fds=[end.fileno() for end in ends],
                # snapshot=on writes into TMPDIR; the run's folder goes away with the run.
                env={**os.environ, "TMPDIR": str(scratch)}, start_new_session=True, preexec_fn=die_with_parent)
        for end in ends:
            end.close()

    @staticmethod
    def socket_(argv, ends, name):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ends.append(theirs)
        argv += ["-chardev", f"socket,id={name},fd={theirs.fileno()}"]
        return ours

    def wait(self, seconds):
        """Whether QEMU ended within this time."""
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            if not self.wait(3):
                self.process.kill()
                self.process.wait()
        for end in (self.log, self.out, self.verdict, self.in_):
            end.close()


def die_with_parent():
    """A vm/run that is killed takes its QEMU along."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
