# SPDX-License-Identifier: Apache-2.0
"""list_tests.py FILE...: the name of each test in these unittest files, as module.Class.method."""

import pathlib
import sys
import unittest


def names(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from names(item)
        else:
            yield item.id()


for file in sys.argv[1:]:
    path = pathlib.Path(file).resolve()
    sys.path.insert(0, str(path.parent))
    print("\n".join(names(unittest.defaultTestLoader.loadTestsFromName(path.stem))))
