# SPDX-License-Identifier: Apache-2.0


class BenchError(Exception):
    """A measurement that could not be made: what was attempted, on what, why, and what to do next."""
