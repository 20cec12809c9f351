# SPDX-License-Identifier: Apache-2.0
"""What recording every system call of a tight getpid loop costs, beside a minimal peer and strace."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from errors import BenchError
from table import Row, show

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
LOOP_CPU, CONSUMER_CPU = 0, 1
RUNS = 9


def first():
    """Runs in each child: ahead of whatever else the machine does."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        pass


def run(argv, cpus=None):
    def prepare():
        first()
        if cpus is not None:
            os.sched_setaffinity(0, cpus)
    done = subprocess.run(argv, preexec_fn=prepare, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done


def nanoseconds(done):
    return float(done.stdout.split()[-1])


class Data:
    def __init__(self, preset, build):
        self.loop = self.need(preset, build, "bench/bench_getpid_loop")
        self.minimal = self.need(preset, build, "bench/bench_minimal")
        self.utracectl = self.need(preset, build, "bin/utracectl")
        self.strace = shutil.which("strace")
        if not self.strace:
            raise BenchError("strace is not installed: apt install strace")
        self.folder = tempfile.mkdtemp(prefix="utrace-bench-")
        self.file = os.path.join(self.folder, "recording")

    @staticmethod
    def need(preset, build, path):
        path = os.path.join(build, path)
        if not os.access(path, os.X_OK):
            raise BenchError(f"{path} is not built: cmake --preset {preset} && cmake --build --preset {preset}")
        return path

    def loop_argv(self, calls, cpu=LOOP_CPU):
        return [self.loop, str(calls), str(cpu)]

    def bare(self, calls):
        return nanoseconds(run(self.loop_argv(calls)))

    def with_minimal(self, calls):
        done = run([self.minimal, str(CONSUMER_CPU)] + self.loop_argv(calls))
        self.expect(done.stderr, r"(\d+) records, (\d+) dropped", calls)
        return nanoseconds(done)

    def with_empty_pair(self, calls):
        return nanoseconds(run([self.minimal, "--empty", str(CONSUMER_CPU)] + self.loop_argv(calls)))

    def record_argv(self, calls, *options):
        return [self.utracectl, "record", "-o", self.file, *options, "--"] + self.loop_argv(calls)

    def with_refusal(self, calls):
        """Each call but the loop's few others is refused by the expression."""
        argv = self.record_argv(calls, "--if", "call != getpid")
        done = run(argv, cpus={LOOP_CPU, CONSUMER_CPU})
        events = self.expect(done.stderr, r"(\d+) events, (\d+) lost", 1)
        if events > calls / 1000:
            raise BenchError(f"of {calls} calls that were to be refused {events} were recorded")
        return nanoseconds(done)

    def with_record(self, calls):
        done = run(self.record_argv(calls), cpus={LOOP_CPU, CONSUMER_CPU})
        self.expect(done.stderr, r"(\d+) events, (\d+) lost", calls)
        return nanoseconds(done)

    def with_strace(self, calls, pinned):
        argv = [self.strace, "-f", "-o", "/dev/null"]
        argv += self.loop_argv(calls, LOOP_CPU if pinned else -1)
        return nanoseconds(run(argv, cpus={LOOP_CPU} if pinned else None))

    @staticmethod
    def expect(text, pattern, calls):
        """Every call recorded, none lost."""
        found = re.search(pattern, text.replace(",", ",").replace("\u202f", ""))
        if not found:
            raise BenchError(f"no line like '{pattern}' in: {text.strip()}")
        events, lost = int(found[1]), int(found[2])
        if events < calls or lost:
            raise BenchError(f"{calls} calls gave {events} events and {lost} lost")
        return events

    def consumer_share(self, calls):
        """A long recording: its events, and the recorder's share of a CPU while the loop runs."""
        recorder = subprocess.Popen(self.record_argv(calls), preexec_fn=first,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begin = end = None
        while recorder.poll() is None:
            if self.loop_runs(recorder.pid):
                end = (time.monotonic(), cpu_seconds(recorder.pid))
                begin = begin or end
            time.sleep(0.02)
        stdout, stderr = recorder.communicate()
        if recorder.returncode != 0:
            raise BenchError(f"utracectl record: exit status {recorder.returncode}\n{stderr}")
        events = self.expect(stderr, r"(\d+) events, (\d+) lost", calls)
        share = (end[1] - begin[1]) / (end[0] - begin[0])
        return events, share, os.path.getsize(self.file), float(stdout.split()[-1])

    @staticmethod
    def loop_runs(recorder):
        try:
            with open(f"/proc/{recorder}/task/{recorder}/children") as file:
                children = file.read().split()
            for child in children:
                with open(f"/proc/{child}/stat") as file:
                    stat = file.read()
                if "(bench_getpid" in stat and stat.rsplit(")", 1)[1].split()[0] != "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass
        return False


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def measure(preset, build, runs):
    """Returns the number of targets missed."""
    if os.geteuid() != 0:
        raise BenchError("the data plane loads BPF programs: run it with sudo")
    bench = Data(preset, build)
    try:
        return measure_data(bench, runs or RUNS)
    finally:
        shutil.rmtree(bench.folder)


def measure_data(bench, runs):
    cases = {
        "bare": lambda: bench.bare(1000000),
        "minimal peer": lambda: bench.with_minimal(1000000),
        "utracectl record": lambda: bench.with_record(1000000),
        "empty pair": lambda: bench.with_empty_pair(1000000),
        "record --if, refused": lambda: bench.with_refusal(1000000),
        "strace, one CPU": lambda: bench.with_strace(30000, True),
        "strace, unpinned": lambda: bench.with_strace(10000, False),
    }
    times = {name: [] for name in cases}
    for number in range(runs):
        for name, case in cases.items():
            times[name].append(case())
        print(f"run {number + 1} of {runs}", file=sys.stderr)
    median = {name: statistics.median(values) for name, values in times.items()}
    bare = median["bare"]
    print(f"getpid, ns per call, medians of {runs} interleaved runs")
    for name, values in times.items():
        print(f"  {name:20} {median[name]:10.0f}   added {median[name] - bare:8.0f}"
              f"   (least {min(values):.0f}, most {max(values):.0f})")
    added = median["utracectl record"] - bare
    events, share, size, long_run = bench.consumer_share(10000000)
    rows = [
        Row("recording a call, to the minimal peer: added", "ns", added, median["minimal peer"] - bare, "<=", 1.5),
        Row("refusing a call by --if, to an empty tp_btf pair: added", "ns", median["record --if, refused"] - bare,
            median["empty pair"] - bare, "<=", 1.5),
        Row("recording a call, to strace on one CPU: added", "ns", added, median["strace, one CPU"] - bare, ">=", 75),
        Row("recording a call, to strace unpinned: added", "ns", added, median["strace, unpinned"] - bare, ">=", 300),
        Row("the recorder's share of a CPU", "1", share, None, "<=", 0.20),
    ]
    print(f"  {events} events in one recording: 0 lost, {size / events:.0f} bytes and {long_run:.0f} ns each")
    return show("data plane, on this machine", rows)
