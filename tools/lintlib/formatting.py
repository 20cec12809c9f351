# SPDX-License-Identifier: Apache-2.0
"""clang-format, in the one version whose idea of the style is ours."""
import collections
import os
import re
import subprocess

from .tree import Finding

# Versions differ in what they make of the same style, so one of them has to be the judge.
MAJOR = 14
_LINE = re.compile(r'^(?P<path>[^:\n]+):(?P<line>\d+):\d+: error: code should be clang-formatted',
                   re.M)
_STYLES = {True: 'kmod/.clang-format', False: '.clang-format'}


def find_tool():
    """(command, None), or (None, the reason why formatting is not judged)."""
    for command in (f'clang-format-{MAJOR}', 'clang-format'):
        try:
            run = subprocess.run([command, '--version'], stdout=subprocess.PIPE, text=True,
                                 check=False)
        except FileNotFoundError:
            continue
        version = re.search(r'version (\d+)', run.stdout)
        if version and int(version.group(1)) == MAJOR:
            return command, None
        return None, (f'formatting is judged by clang-format {MAJOR} (Debian 12), here is '
                      f'{version.group(1) if version else "an unknown one"}')
    return None, f'clang-format is not installed: apt-get install clang-format (version {MAJOR})'


def _groups(tree):
    """(style file, paths) for kernel C and for user space."""
    chosen = collections.defaultdict(list)
    for source in tree.sources():
        if source.is_c_family:
            chosen[tree.is_kernel_c(source.path)].append(source.path)
    return [(_STYLES[kernel], paths) for kernel, paths in chosen.items()]


def check(tree, command):
    for style, paths in _groups(tree):
        run = subprocess.run([command, f'--style=file:{os.path.join(tree.root, style)}',
                              '--dry-run', '-Werror', *paths], cwd=tree.root,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             check=False)
        places = collections.defaultdict(set)
        for match in _LINE.finditer(run.stderr):
            places[match['path']].add(int(match['line']))
        if run.returncode and not places:
            yield Finding(style, 1, 'clang-format failed', run.stderr.strip(), 'mend the style')
        for path, lines in places.items():
            yield Finding(path, min(lines), f'not formatted, {len(lines)} place(s)',
                          f'the style is {style}', f'run tools/lint --fix {path}')


def fix(tree, command):
    for style, paths in _groups(tree):
        subprocess.run([command, f'--style=file:{os.path.join(tree.root, style)}', '-i', *paths],
                       cwd=tree.root, check=True)
