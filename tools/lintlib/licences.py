# SPDX-License-Identifier: Apache-2.0
"""Every file says its licence, and it is the one its folder demands."""
import fnmatch
import re

from .tree import Finding

_GPL = 'GPL-2.0-only'
_APACHE = 'Apache-2.0'

# The first pattern that matches decides ('*' crosses '/'); None: the file carries no line.
DEMANDED = [
    ('LICENSES/*', None),
    ('*.json', None),
    ('*.patch', None),
    ('*/testdata/*', None),
    ('packaging/debian/*', None),
    ('kmod/action.h', 'GPL-2.0-only OR Apache-2.0'),
    ('include/uapi/*', 'GPL-2.0 WITH Linux-syscall-note'),
    ('include/linux/*', _GPL),
    ('include/trace/*', _GPL),
    ('kmod/*', _GPL),
    ('bpf/*', _GPL),
    ('*', _APACHE),
]

_LINE = re.compile(r'SPDX-License-Identifier:\s*([^\n]*)')
_SEEN_IN = 3


def demanded(tree, path):
    # A module or BPF program elsewhere (tests, peers of the bench) is linked to the kernel too.
    outside = not path.startswith(('kmod/', 'bpf/', 'include/'))
    if outside and (tree.is_kernel_c(path) or path.endswith('/Kbuild')):
        return _GPL
    return next(licence for pattern, licence in DEMANDED if fnmatch.fnmatchcase(path, pattern))


def check(tree):
    for source in tree.sources():
        wanted = demanded(tree, source.path)
        if wanted is None or not source.text:
            continue
        found = None
        for number, line in enumerate(source.lines[:_SEEN_IN], 1):
            match = _LINE.search(line)
            if match:
                found = (number, re.sub(r'\s*(\*/|-->)\s*$', '', match.group(1)).strip(), line)
                break
        if found is None:
            yield Finding(source.path, 1, 'no SPDX line', 'every file says its licence',
                          f'write "SPDX-License-Identifier: {wanted}" as a comment on the first '
                          f'line, or after the #! line')
        elif found[1] != wanted:
            yield Finding(source.path, found[0], f'licence {found[1]}',
                          f'its folder demands {wanted}', 'change the line, or move the file')
        elif (tree.is_kernel_c(source.path) and source.path.endswith('.h')
              and not found[2].lstrip().startswith('/*')):
            yield Finding(source.path, found[0], 'SPDX line in a // comment',
                          'headers of kernel C are also read by assemblers and old compilers',
                          f'write /* SPDX-License-Identifier: {wanted} */')
