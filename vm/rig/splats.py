# SPDX-License-Identifier: Apache-2.0
"""Finds in the guest's kernel log what no passing run may have: vm/splats.deny, less vm/splats.allow."""

import datetime
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[1]
# "[   12.345678] ", and "[   12.345678][  T123] " where the kernel names the caller.
STAMP = re.compile(r"^\[ *\d+\.\d+\](\[ *[TC]\d+\])? ")


def read_deny():
    lines = (FOLDER / "splats.deny").read_text().splitlines()
    return [re.compile(line) for line in lines if line and not line.startswith("#")]


def read_allow(today=None):
    """Entries are 'until-date | regular expression | reason'; one whose day is past allows nothing any more."""
    today = today or datetime.date.today()
    allowed = []
    for line in (FOLDER / "splats.allow").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        until, pattern, reason = (part.strip() for part in line.split(" | ", 2))
        if not reason:
            raise ValueError(f"vm/splats.allow: no reason given for {pattern}")
        if datetime.date.fromisoformat(until) >= today:
            allowed.append(re.compile(pattern))
    return allowed


def find(log, deny=None, allow=None):
    """(line number, line) of every hit in the log's text."""
    deny = read_deny() if deny is None else deny
    allow = read_allow() if allow is None else allow
    hits = []
    for number, line in enumerate(log.splitlines(), 1):
        message = STAMP.sub("", line.rstrip("\r"))
        if any(pattern.search(message) for pattern in deny) and not any(pattern.search(message) for pattern in allow):
            hits.append((number, line.rstrip("\r")))
    return hits
