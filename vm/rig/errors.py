# SPDX-License-Identifier: Apache-2.0
"""How a run of the guest can end, as exit statuses of vm/run, and the rig's own error."""

# A status of its own for what is neither the guest's nor the command's doing: nothing was run.
NOT_RUN = 96
SPLAT = 97
HANG = 98
LOST = 99


class RigError(Exception):
    """Nothing could be run: what was attempted, why it failed, what to do next."""
