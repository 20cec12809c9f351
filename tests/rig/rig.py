# SPDX-License-Identifier: Apache-2.0
"""How the rig's tests run vm/run: for real, with the build tree that CTest belongs to."""

import os
import pathlib
import subprocess
import time

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PRESET = os.environ.get("UTRACE_PRESET", "dev")
VM_RUN = [str(CHECKOUT / "vm" / "run"), "--preset", PRESET]


def vm_run(*arguments, **options):
    """Runs vm/run to its end; the result has returncode, stdout and stderr (bytes)."""
    return subprocess.run(VM_RUN + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def start_vm_run(*arguments):
    return subprocess.Popen(VM_RUN + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def environment(pid):
    pairs = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(pair.decode(errors="replace").split("=", 1) for pair in pairs if b"=" in pair)


def wait_for_output(process, text):
    """Reads the process's output up to and including the text."""
    seen = b""
    while text not in seen:
        data = os.read(process.stdout.fileno(), 4096)
        if not data:
            raise AssertionError(f"vm/run ended without saying {text!r}: {seen!r} {process.stderr.read()!r}")
        seen += data


def is_alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def wait_until_gone(pid, seconds):
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)
