# SPDX-License-Identifier: Apache-2.0
"""How fast this machine's time stamp counter counts, which is the guest's too."""

import ctypes
import mmap
import time

# rdtsc; shl $32, %rdx; or %rdx, %rax; ret
READ = b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3"
SECONDS = 0.02
TRIES = 5


def rate_khz():
    """Counts a millisecond."""
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(READ)
        code = ctypes.c_char.from_buffer(page)
        read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(code))
        rates = sorted(_measure(read) for _ in range(TRIES))
        del code
    # Whoever is put off the CPU between the two clocks measures wrongly, either way.
    return round(rates[TRIES // 2])


def _measure(read):
    begin, counted = time.monotonic_ns(), read()
    time.sleep(SECONDS)
    end, counts = time.monotonic_ns(), read()
    return (counts - counted) * 1e6 / (end - begin)
