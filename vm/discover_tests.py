#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""discover_tests.py PROGRAM OUTPUT VERDICT RESULTS-DIR [gates]: writes the CTest script that lists each test of a
GoogleTest program that runs in the guest; called whenever the program was linked."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "guest"))

from run_tests import list_tests  # noqa: E402

# Label and name of each boot: see vm_finish_tests() in cmake/VmTests.cmake, which makes the boots.
SETS = [("vm", "6.12"), ("smoke", "6.1"), ("smoke", "7.3"),
        ("full", "6.1"), ("full", "7.3"), ("full", "6.12-generic"), ("full", "debug")]
# Of a program that needs the module built with gates.
GATE_SETS = [("seed", "6.12"), ("full", "debug-gates")]


def main():
    program, output, verdict, results = sys.argv[1:5]
    sets = GATE_SETS if sys.argv[5:] == ["gates"] else SETS
    lines = []
    for name in list_tests(program, "*"):
        for label, boot in sets:
            if label == "smoke" and "Smoke" not in name:
                continue
            test = f"{label}/{boot}/{name}"
            file = f"{results}/{label}-{boot}.json"
            lines.append(f'add_test([==[{test}]==] [==[{verdict}]==] [==[{file}]==] [==[{name}]==])')
            lines.append(f'set_tests_properties([==[{test}]==] PROPERTIES LABELS {label} FIXTURES_REQUIRED '
                         f'boot-{label}-{boot} SKIP_RETURN_CODE 77)')
    pathlib.Path(output).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
