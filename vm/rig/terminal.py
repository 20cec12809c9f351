# SPDX-License-Identifier: Apache-2.0
"""The user's terminal while a shell runs in the guest."""

import os
import shutil
import termios
import tty

# Ctrl-] as telnet has it: everything else, Ctrl-C too, is the guest's.
ESCAPE = b"\x1d"


class Terminal:
    """Standard input, raw for as long as the object is entered when it is a terminal at all."""

    def __init__(self):
        self.fd = 0
        self.saved_ = termios.tcgetattr(self.fd) if os.isatty(self.fd) else None

    def __enter__(self):
        if self.saved_:
            tty.setraw(self.fd)
        return self

    def __exit__(self, *_):
        if self.saved_:
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved_)

    @staticmethod
    def size():
        return shutil.get_terminal_size()

    def read(self):
        """What was typed; None when the user wants out, and empty when nothing can come any more."""
        data = os.read(self.fd, 4096)
        return None if self.saved_ and ESCAPE in data else data
