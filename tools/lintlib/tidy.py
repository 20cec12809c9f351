# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over user space; slow, so only on demand."""
import concurrent.futures
import os
import re
import shutil
import subprocess

from .tree import Finding

_LINE = re.compile(r'^(?P<path>/[^:\n]+):(?P<line>\d+):\d+: (warning|error): (?P<text>.*) '
                   r'\[(?P<check>[\w.,-]+)\]$', re.M)


def _database(tree):
    return os.path.join(tree.root, 'build', 'dev')


def why_not(tree):
    """The reason why clang-tidy cannot run here, or None."""
    if not shutil.which('clang-tidy'):
        return 'clang-tidy is not installed: apt-get install clang-tidy'
    if not os.path.exists(os.path.join(_database(tree), 'compile_commands.json')):
        return f'{_database(tree)} is not configured: run cmake --preset dev'
    return None


def _run(tree, path):
    return path, subprocess.run(['clang-tidy', '--quiet', '-p', _database(tree), tree.full(path)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False)


def check(tree):
    paths = [path for path in tree.wanted
             if path.startswith('userspace/') and path.endswith('.cc')]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, run in pool.map(lambda one: _run(tree, one), paths):
            matches = list(_LINE.finditer(run.stdout))
            for match in matches:
                name = match['check'].split(',')[0]
                yield Finding(os.path.relpath(os.path.realpath(match['path']), tree.root),
                              int(match['line']), name, match['text'],
                              'mend it, or argue in .clang-tidy why the check is wrong for us')
            if run.returncode and not matches:
                yield Finding(path, 1, 'clang-tidy failed', run.stderr.strip()[-1000:],
                              'build the tree first, generated headers may be missing')
