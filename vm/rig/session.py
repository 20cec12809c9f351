# SPDX-License-Identifier: Apache-2.0
"""Watches one boot from power-on to its trailer: what it says on which port, and within what time."""

import os
import selectors
import time

# How long a guest that has told its verdict may take to switch itself off.
GRACE_SECONDS = 10
# What the guest waits for before it switches off.
RELEASE = b"."
# Ctrl-D.
END_OF_TERMINAL = b"\x04"


class Watch:
    """What has been seen of a boot. `begun` is the line between a boot that may be repeated and one that may not."""

    def __init__(self, machine, log_path, on_output, on_line, terminal=None):
        self.machine = machine
        self.on_output = on_output
        self.on_line = on_line
        self.terminal = terminal
        self.begun = None
        self.status = None
        self.failure = None
        self.timed_out = False
        self.left = False
        self.log_ = open(log_path, "wb")
        self.partial_line_ = b""
        self.deadline_ = None
        self.received_ = 0
        self.expected_ = None
        self.released_ = False

    def run(self, boot_seconds, timeout):
        """Returns when the guest has ended, or its time has."""
        self.timeout_ = timeout
        self.deadline_ = time.monotonic() + boot_seconds
        with selectors.DefaultSelector() as selector, self.log_:
            for end, handle in ((self.machine.log, self.log_.write), (self.machine.out, self.output_),
                                (self.machine.verdict, self.verdict_)):
                selector.register(end, selectors.EVENT_READ, handle)
            if self.terminal is not None:
                selector.register(self.terminal.fd, selectors.EVENT_READ, None)
            while any(key.data is not None for key in selector.get_map().values()):
                left = self.deadline_ - time.monotonic()
                if left <= 0:
                    # A guest that has told everything only failed to switch off: that is the emulator's affair.
                    self.timed_out = self.status is None and self.failure is None
                    return
                for key, _ in selector.select(min(left, 60)):
                    if key.data is None:
                        if not self.forward_(selector):
                            return
                    else:
                        self.receive_(selector, key)

    def forward_(self, selector):
        """Passes on what was typed; False when the user wants out."""
        data = self.terminal.read()
        if data is None:
            self.left = True
            return False
        if not data:
            # The end of a script on standard input is the end of the guest's terminal.
            selector.unregister(self.terminal.fd)
        self.machine.in_.setblocking(True)
        self.machine.in_.sendall(data or END_OF_TERMINAL)
        self.machine.in_.setblocking(False)
        return True

    def receive_(self, selector, key):
        # Whatever the guest wrote before this on its output must be seen before the verdict on it.
        if key.fileobj is self.machine.verdict:
            drain(self.machine.out, self.output_)
        if not drain(key.fileobj, key.data):
            selector.unregister(key.fileobj)

    def output_(self, data):
        self.received_ += len(data)
        self.on_output(data)
        if self.expected_ is not None:
            self.deadline_ = time.monotonic() + GRACE_SECONDS
            self.release_when_complete_()

    def release_when_complete_(self):
        """Lets the guest switch off: what is still in its queues would go with it."""
        if self.received_ >= self.expected_ and not self.released_:
            self.released_ = True
            self.machine.verdict.send(RELEASE)

    @property
    def output_missing(self):
        """How much of the output never came, of what the guest says it has written."""
        return max(0, (self.expected_ or 0) - self.received_)

    def verdict_(self, data):
        lines = (self.partial_line_ + data).split(b"\n")
        self.partial_line_ = lines.pop()
        for line in lines:
            word, _, rest = line.decode(errors="replace").partition(" ")
            if word == "guest-begin":
                self.begun = rest
                self.deadline_ = time.monotonic() + self.timeout_
            elif word == "guest-end":
                status, _, written = rest.partition(" ")
                self.status = int(status)
                self.end_(int(written))
            elif word == "guest-fail":
                self.failure = rest
                self.end_(0)
            else:
                self.on_line(word, rest)

    def end_(self, expected):
        self.expected_ = expected
        self.deadline_ = time.monotonic() + GRACE_SECONDS
        self.release_when_complete_()


def drain(end, handle):
    """Handles all that can be read now; False at the end of the stream."""
    while True:
        try:
            data = end.recv(1 << 16)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        if not data:
            return False
        handle(data)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]
