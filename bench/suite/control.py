# SPDX-License-Identifier: Apache-2.0
"""What holding threads costs, beside ptrace: measured in the guest by bench_control (bench/control/).

Costs are guest instructions (vm/run --icount: one instruction is one nanosecond of guest time) on its one CPU; the
first attach is timed in a guest with clocks of its own too.
"""

import os
import statistics
import subprocess
import sys

from errors import BenchError
from table import Row, show

RUNS = 3
INSTRUCTIONS = ["--icount", "--smp", "1", "--mem", "2G"]
BOOTS = {
    # With the module; without it; and one in which time passes by itself.
    "module": INSTRUCTIONS + ["--", "bench_control", "round-trip", "bystander", "group", "first-attach", "reported",
                              "step", "engines", "bpf"],
    "bare": INSTRUCTIONS + ["--no-module", "--", "bench_control", "bystander"],
    "clock": ["--mem", "3G", "--", "bench_control", "first-attach", "footprint"],
}


class Guest:
    def __init__(self, root, preset, build_it):
        self.argv = [os.path.join(root, "vm/run"), "--preset", preset, "--timeout", "900"]
        if not build_it:
            self.argv.append("--no-build")

    def run(self, boot):
        """Its figures by name."""
        done = subprocess.run(self.argv + BOOTS[boot], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(self.argv + BOOTS[boot])}: exit status {done.returncode}\n"
                             f"{done.stdout[-3000:].strip()}")
        words = [line.split() for line in done.stdout.splitlines()]
        figures = {pair[0]: float(pair[1]) for pair in words if len(pair) == 2}
        counts = figures["ticks_per_instruction"]
        if "--icount" in BOOTS[boot] and abs(counts - 1) > 0.01:
            raise BenchError(f"the guest's time stamp counter does not count instructions: {counts} ticks for each")
        return figures


def medians(guest, runs):
    """Figures of all boots, as "boot.name"."""
    figures = {}
    for number in range(runs):
        for boot in BOOTS:
            for name, value in guest.run(boot).items():
                figures.setdefault(f"{boot}.{name}", []).append(value)
            print(f"run {number + 1} of {runs}: {boot} done", file=sys.stderr)
    return {name: statistics.median(values) for name, values in figures.items()}


def rows_of(figures):
    def module(name):
        return figures[f"module.{name}"]

    def clock(name):
        return figures[f"clock.{name}"]

    bare = figures["bare.bystander.alone"]
    calls = module("group.attach") + module("group.events") + module("group.detach")
    ptrace_calls = module("group.ptrace_seize") + module("group.ptrace_detach")
    one = module("engines.hear_1")
    none = module("bpf.none")
    return [
        Row("stop at entry and answer: NEXT / PTRACE_SYSCALL", "instr", module("round_trip.device"),
            module("round_trip.ptrace_syscall"), "<=", 0.8),
        Row("  the same / PTRACE_SYSEMU", "instr", module("round_trip.device"), module("round_trip.ptrace_sysemu")),
        Row("  by libutrace's Session / PTRACE_SYSCALL", "instr", module("round_trip.library"),
            module("round_trip.ptrace_syscall")),
        Row("bystander's getpid: idle module / no module", "instr", module("bystander.alone"), bare, "<=", 1.02),
        Row("  another process is held at each call / no module", "instr", module("bystander.controlled"), bare,
            "<=", 1.02),
        Row("  utracectl trace -p of another process / no module", "instr", module("bystander.traced"), bare,
            "<=", 1.02),
        Row("  utracectl trace -p, no module there / no trace", "instr", figures["bare.bystander.traced"], bare),
        Row("1,000 threads: attach, events, detach / SEIZE to DETACH", "instr", module("group.whole"),
            module("group.ptrace_whole"), "<=", 0.5),
        Row("  the calls alone / SEIZE and DETACH alone", "instr", calls, ptrace_calls),
        Row("slab memory for a traced thread, of 10,000", "bytes", clock("footprint.thread"), None, "<=", 512),
        Row("slab memory for an engine, of 10,000", "bytes", clock("footprint.engine"), None, "<=", 256),
        Row("first attach on an idle module", "s", clock("first_attach.first"), None, "<=", 0.3),
        Row("  in a guest of one instruction a nanosecond", "s", module("first_attach.first"), None, "<=", 0.3),
        Row("detach: the last engine / one of two", "ns", module("first_attach.last_detach") * 1e9,
            module("first_attach.detach") * 1e9, "<=", 2),
        Row("  from the last detach until the hooks are gone", "s", clock("first_attach.hooks_leave")),
        Row("signal handled: told to a kernel engine / bare", "instr", module("reported.signal"),
            module("reported.signal_bare"), "<=", 2),
        Row("stop and continue: told to a kernel engine / bare", "instr", module("reported.stop"),
            module("reported.stop_bare"), "<=", 1.5),
        Row("single step decided in the kernel / PTRACE_SINGLESTEP", "instr", module("step.kernel"),
            module("step.ptrace"), "<=", 0.5),
        Row("  decided in user space / PTRACE_SINGLESTEP", "instr", module("step.session"), module("step.ptrace"),
            "<=", 0.8),
        Row("getpid told to one engine / to none", "instr", one, module("engines.none")),
        Row("  to each of 9 more / to each of 99 more", "instr", (module("engines.hear_10") - one) / 9,
            (module("engines.hear_100") - one) / 99),
        Row("  with 1 engine that does not hear of it / with none", "instr", module("engines.deaf_1"), one),
        Row("  with 10 engines that do not hear of it / with none", "instr", module("engines.deaf_10"), one,
            "<=", 1.02),
        Row("  with 100 / with none", "instr", module("engines.deaf_100"), one, "<=", 1.02),
        Row("  beside 1,000 threads traced elsewhere / none", "instr", module("engines.elsewhere_1000"), one,
            "<=", 1.02),
        Row("  beside 10,000 / none", "instr", module("engines.elsewhere_10000"), one, "<=", 1.02),
        Row("engine in BPF passes getpid / 2 empty tp_btf, what each adds", "instr", module("bpf.pass") - none,
            module("bpf.empty_pair") - none, "<=", 2),
        Row("  a thread that it is not on / no engine", "instr", module("bpf.elsewhere"), none, "<=", 1),
        Row("  it refuses getpid / a seccomp filter does", "instr", module("bpf.verdict"), module("bpf.seccomp"),
            "<=", 2),
    ]


def measure(root, preset, build_it, runs):
    """Returns the number of targets missed."""
    runs = runs or RUNS
    figures = medians(Guest(root, preset, build_it), runs)
    return show(f"control plane, in the guest, medians of {runs} interleaved boots", rows_of(figures))
