# SPDX-License-Identifier: Apache-2.0
"""Results: ours beside its peer, their ratio beside its target."""

from dataclasses import dataclass


@dataclass
class Row:
    """With a peer the value judged is ours/peer, or peer/ours where more is better (>=); without one it is ours. A row
    without a target is a figure to know."""

    what: str
    unit: str
    ours: float
    peer: float | None = None
    relation: str = "<="
    target: float | None = None

    @property
    def value(self):
        if self.peer is None:
            return self.ours
        return self.ours / self.peer if self.relation == "<=" else self.peer / self.ours

    @property
    def reached(self):
        if self.target is None:
            return True
        return self.value <= self.target if self.relation == "<=" else self.value >= self.target


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) < 10 else f"{value:.1f}"


def line(row):
    ratio = "-" if row.peer is None else f"{row.value:.3f}"
    target = "-" if row.target is None else f"{row.relation} {row.target:g}"
    verdict = "" if row.target is None else "reached" if row.reached else "MISSED"
    return (f"  {row.what:58} {row.unit:6} {number(row.ours):>10} {number(row.peer):>10} {ratio:>8} {target:>8}"
            f"  {verdict}").rstrip()


def show(title, rows):
    """Prints the table; returns the number of targets missed."""
    print(title)
    print(f"  {'what':58} {'unit':6} {'ours':>10} {'peer':>10} {'ratio':>8} {'target':>8}  verdict")
    for row in rows:
        print(line(row))
    return sum(not row.reached for row in rows)
