# SPDX-License-Identifier: Apache-2.0
"""sparse over the module: address spaces (__rcu, __user) and the like, by the kernel's build."""
import os
import re
import shutil
import subprocess
import tempfile

from .tree import Finding

_LINE = re.compile(r'^(?P<path>/[^:\n]+):(?P<line>\d+):\d+: (?P<text>.*)$', re.M)


def cache_folder():
    """The same place as cmake/Cache.cmake names."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    return os.environ.get('UTRACE_CACHE') or os.path.join(home, 'utrace')


def _headers():
    return os.path.join(cache_folder(), 'kernels', '6.12', 'build')


def concerns(tree):
    """Whether the files to judge are part of a module."""
    return 'kmod/Kbuild' in tree and any(
        tree.is_kernel_c(path) and not path.startswith('bpf/') for path in tree.wanted)


def why_not():
    """The reason why sparse cannot run here, or None."""
    if not shutil.which('sparse'):
        return 'sparse is not installed: apt-get install sparse'
    if not os.path.isdir(_headers()):
        return f'no kernel headers in {_headers()}: run tools/setup'
    return None


def _findings(output, root):
    found = []
    for match in _LINE.finditer(output):
        path = os.path.relpath(os.path.realpath(match['path']), root)
        text = match['text']
        if path.startswith('..'):
            continue
        if text.startswith(('warning: ', 'error: ')):
            found.append([path, int(match['line']), text.split(': ', 1)[1]])
        elif found and text.startswith('   '):
            found[-1][2] += f' ({text.strip()})'
    # A header is seen once for each file that includes it.
    return [Finding(path, line, 'sparse or compiler', text, 'give it the right type or annotation')
            for path, line, text in sorted(set(map(tuple, found)))]


def check(tree):
    # Kbuild writes beside the sources, so it gets a copy of them.
    with tempfile.TemporaryDirectory(prefix='utrace-sparse-') as folder:
        folder = os.path.realpath(folder)
        for path in tree.paths:
            if path.startswith(('kmod/', 'include/')):
                copy = os.path.join(folder, path)
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                shutil.copyfile(tree.full(path), copy)
        # Its context check takes guard(spinlock) for an imbalance.
        run = subprocess.run(
            ['make', '-C', _headers(), f'M={folder}/kmod', 'C=2', 'CF=-Wno-context',
             f'-j{os.cpu_count()}', 'modules'],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        found = _findings(run.stdout, folder)
        yield from found
        if run.returncode and not found:
            yield Finding('kmod/Kbuild', 1, 'the module does not build',
                          run.stdout.strip()[-2000:], 'mend the build first')
