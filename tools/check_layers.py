#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may know whom: the layers of the tree, by #include and by a few telling words.

The tables come first. A new file that fits no zone is a finding too, so that its place in the
order is decided where everyone can read it: here.
"""
import argparse
import fnmatch
import os
import posixpath
import re
import sys

from lintlib.tree import Finding, Tree

# Zone of a file: the first pattern that matches its path ('*' crosses '/').
ZONES = [
    ('include/uapi/*', 'uapi'),
    ('include/linux/*', 'kernel-api'),
    ('include/utrace/*', 'public'),
    ('include/trace/*', 'trace'),
    ('kmod/action_test.cc', 'action-test'),
    ('kmod/gate*.[ch]', 'gate'),
    ('kmod/action.*', 'action'),
    ('kmod/task.*', 'task'),
    ('kmod/engine.*', 'engine'),
    ('kmod/roster.*', 'engine'),
    ('kmod/stop.*', 'stop'),
    ('kmod/report.*', 'report'),
    ('kmod/attach.*', 'attach'),
    ('kmod/group.*', 'attach'),
    ('kmod/list.*', 'list'),
    ('kmod/control.*', 'control'),
    ('kmod/examine.*', 'examine'),
    ('kmod/memory.*', 'memory'),
    ('kmod/events/events.h', 'events-api'),
    ('kmod/events/*', 'events'),
    ('kmod/hooks/hooks.h', 'hooks-api'),
    ('kmod/hooks/*', 'hooks'),
    ('kmod/arch/*', 'arch'),
    ('kmod/compat/*', 'compat'),
    ('kmod/ring.*', 'ring'),
    ('kmod/session*', 'session'),
    ('kmod/chardev.*', 'chardev'),
    ('kmod/bpf_ops.*', 'bpf_ops'),
    ('kmod/bpf_engine.*', 'bpf_ops'),
    ('kmod/bpf_beside.*', 'bpf_ops'),
    ('kmod/bpf_cgroup.*', 'bpf_ops'),
    ('kmod/bpf_current.*', 'bpf_ops'),
    ('kmod/bpf_delay.*', 'bpf_ops'),
    ('kmod/bpf_execs.*', 'bpf_ops'),
    ('kmod/bpf_report.*', 'bpf_ops'),
    ('kmod/bpf_control.*', 'bpf_ops'),
    ('kmod/bpf_kfuncs.*', 'bpf_ops'),
    ('kmod/debugfs.*', 'debugfs'),
    ('kmod/trace.*', 'trace'),
    ('kmod/trace/*', 'trace'),
    ('kmod/main.*', 'main'),
    ('kmod/selftest/*', 'selftest'),
    ('kmod/samples/*', 'sample'),
    ('bpf/gallery/*', 'bpf-engine'),
    ('tests/integration/engines/*', 'bpf-engine'),
    ('bpf/*', 'bpf'),
    ('examples/*', 'examples'),
    ('userspace/base/*', 'base'),
    ('userspace/libutrace/bpf/*', 'libutrace-bpf'),
    ('userspace/libutrace/*', 'libutrace'),
    ('userspace/symbols/*', 'symbols'),
    ('userspace/testing/*', 'testing'),
    ('userspace/utracectl/testing/*', 'testing'),
    ('userspace/utracectl/commands/*', 'commands'),
    ('userspace/utracectl/output/*', 'output'),
    ('userspace/utracectl/*', 'utracectl'),
    ('tests/*action_test.cc', 'action-test'),
    ('tests/integration/kmod/*', 'sample'),
    ('tests/*', 'tests'),
    ('bench/control/*.bpf.c', 'bpf-engine'),
    ('bench/*', 'bench'),
    ('vm/*', 'vm'),
    ('tools/*', 'tools'),
]

# What everyone in the module may include: the contracts, and names for tracing and gates.
_EVERYWHERE = {'uapi', 'kernel-api', 'trace', 'gate'}
# The order of the core, lowest first. A layer knows those below it, hooks only by the interface
# the core owns, and compat by functions that are the same on every kernel: who asks for the
# version itself is found by FOREIGN and WORDS.
_CORE = [{'action'}, {'task'}, {'engine'}, {'stop'}, {'report'},
         {'attach', 'control', 'examine', 'memory'}, {'events', 'events-api'}]
_CORE_ZONES = set().union(*_CORE)
# What owns engines calls everything of the core but what hooks call.
_API_ZONES = _CORE_ZONES - {'events', 'events-api'}
_HOOKS = {'hooks', 'hooks-api', 'arch', 'compat'}
_USER = {'uapi', 'public', 'base'}

# Zone -> zones it may include, besides itself.
ALLOWED = {
    'uapi': set(),
    'kernel-api': {'uapi'},
    'public': {'uapi'},
    'gate': {'uapi'},
    'trace': {'uapi', 'kernel-api'},
    'action-test': {'action', 'uapi'},
    'compat': _EVERYWHERE,
    'arch': _EVERYWHERE | {'compat'},
    'hooks-api': _EVERYWHERE,
    'hooks': _EVERYWHERE | _HOOKS | {'events-api'},
    'ring': _EVERYWHERE | {'action'},
    'list': _EVERYWHERE,
    'session': _EVERYWHERE | _API_ZONES | {'list', 'ring', 'hooks-api', 'compat'},
    'chardev': _EVERYWHERE | {'action', 'ring', 'list', 'session', 'bpf_ops'},
    'bpf_ops': _EVERYWHERE | _API_ZONES | {'list', 'hooks-api', 'compat'},
    'debugfs': _EVERYWHERE | _CORE_ZONES | {'session', 'ring', 'bpf_ops', 'hooks-api'},
    'main': _EVERYWHERE | _CORE_ZONES | _HOOKS | {
        'ring', 'session', 'chardev', 'bpf_ops', 'debugfs', 'selftest'},
    'selftest': _EVERYWHERE | _CORE_ZONES | {'ring', 'session', 'hooks-api'},
    'sample': {'uapi', 'kernel-api'},
    'bpf': {'uapi'},
    'bpf-engine': {'uapi', 'bpf'},
    'base': {'uapi', 'public'},
    'libutrace': _USER,
    'libutrace-bpf': _USER | {'libutrace'},
    'symbols': _USER | {'libutrace'},
    'testing': _USER | {'libutrace'},
    'output': _USER | {'libutrace', 'symbols'},
    'commands': _USER | {'libutrace', 'libutrace-bpf', 'symbols', 'output', 'utracectl'},
    'utracectl': _USER | {'libutrace', 'libutrace-bpf', 'symbols', 'output', 'commands'},
    'tests': _USER | {'libutrace', 'libutrace-bpf', 'symbols', 'testing'},
    'bench': _USER | {'libutrace', 'libutrace-bpf'},
    'examples': _USER | {'libutrace'},
    'vm': set(),
    'tools': {'uapi'},
}
for _height, _layer in enumerate(_CORE):
    _below = set().union(*_CORE[:_height])
    for _zone in _layer:
        ALLOWED[_zone] = _EVERYWHERE | _below | {'hooks-api', 'compat'} | (
            {'events-api'} if _zone == 'events' else set())

_BPF_USERS = {'libutrace-bpf', 'bpf', 'bench', 'tests'}
_OUTSIDE_KERNEL = {'public', 'base', 'libutrace', 'libutrace-bpf', 'symbols', 'testing', 'output',
                   'commands', 'utracectl', 'tests', 'bench', 'vm', 'tools', 'action-test',
                   'examples'}
_KERNEL = set(ALLOWED) - _OUTSIDE_KERNEL

# Headers of others: (spelling, zones that may include it, why, what to do).
FOREIGN = [
    (r'CLI/', {'utracectl', 'commands'},
     'CLI11 throws and is slow to compile', 'pass plain options down from userspace/utracectl'),
    (r'bcc/', {'symbols'},
     'BCC is known to userspace/symbols only', 'ask the symbolizer there'),
    (r'bpf/|.*\.skel\.h$', _BPF_USERS,
     'libbpf is known to userspace/libutrace/bpf only',
     'put what needs it there, behind an interface of libutrace'),
    (r'sys/ioctl\.h$', {'base', 'libutrace', 'libutrace-bpf', 'tests', 'bench', 'vm', 'testing'},
     'commands never call ioctl', 'call libutrace, or base for what is not utrace'),
    (r'(linux/version|generated/utsrelease)\.h$', {'compat', 'hooks', 'arch'} | {
        'base', 'libutrace', 'libutrace-bpf', 'bench', 'vm', 'tests'},
     'only hooks/, arch/ and compat/ know which kernel this is',
     'add a feature probe to kmod/compat/ and use its name'),
]

# Words that betray knowledge: (pattern, zones to look at, paths that may, why, what to do).
WORDS = [
    (r'\b(LINUX_VERSION_CODE|KERNEL_VERSION)\b', _KERNEL, ['kmod/compat/*'],
     'version tests live in kmod/compat/', 'probe for the feature there and use its name'),
    (r'\bHAVE_[A-Z0-9_]+\b', _KERNEL - {'compat', 'hooks', 'arch', 'bpf'}, [],
     'only hooks/, arch/ and compat/ know which kernel this is',
     'give compat/ a function that is the same on every kernel'),
    (r'\b(_*copy_(to|from)_user\w*|copy_struct_from_user|_*(get|put)_user|strncpy_from_user\w*'
     r'|v?memdup_user\w*|clear_user)(?=\s*\()',
     # The step's look at the next instruction is no structure, nor what a BPF engine reads.
     _KERNEL - {'bpf'}, ['kmod/chardev.c', 'kmod/gates.c', 'kmod/compat/step.h', 'kmod/bpf_kfuncs.c'],
     'only kmod/chardev.c copies structures of user space',
     'let chardev.c copy and pass a kernel structure down'),
    (r'(?<!\w)ioctl(?=\s*\()', {'commands', 'output', 'utracectl'}, [],
     'commands never call ioctl', 'call libutrace, or base for what is not utrace'),
    (r'\b_IO(R|W|WR)?(?=\s*\()', set(ALLOWED), ['include/uapi/*'],
     'an ioctl of ours is defined in include/uapi only', 'define it there and include it'),
]

_UAPI_MAY = {'linux/types.h', 'linux/ioctl.h'}
# Where a spelling is looked up, in this order, after the folder of the file itself.
_SEARCH_KERNEL = ['', 'kmod', 'include', 'include/uapi', 'bpf/include', 'bpf', 'userspace']
_SEARCH_USER = ['', 'userspace', 'include', 'include/uapi', 'bpf/include', 'bpf', 'kmod']


def zone_of(path):
    for pattern, zone in ZONES:
        if fnmatch.fnmatchcase(path, pattern):
            return zone
    return None


def _resolve(tree, path, spelling, quoted):
    search = _SEARCH_KERNEL if tree.is_kernel_c(path) else _SEARCH_USER
    folders = ([os.path.dirname(path)] if quoted else []) + search
    for folder in folders:
        candidate = posixpath.normpath(posixpath.join(folder, spelling))
        if candidate in tree:
            return candidate
    return None


def _is_test(path):
    return path.endswith('_test.cc')


def _own_include(path, zone, line, target):
    allowed = ALLOWED[zone] | {zone} | ({'testing'} if _is_test(path) else set())
    target_zone = zone_of(target)
    if target_zone in allowed:
        return None
    if target.startswith('kmod/') and zone in _OUTSIDE_KERNEL:
        why = 'nothing outside kmod/ includes its headers (but the unit test of action.h)'
    elif zone == 'hooks':
        why = 'hooks call up only through kmod/events/events.h'
    else:
        why = f'{zone} may not know {target_zone or "it"}'
    return Finding(path, line, f'includes {target}', why,
                   'turn the call round, or change tools/check_layers.py with a reason')


def _foreign_include(path, zone, line, spelling):
    for pattern, zones, why, todo in FOREIGN:
        if re.match(pattern, spelling) and zone not in zones:
            return Finding(path, line, f'includes <{spelling}>', why, todo)
    if zone == 'uapi' and spelling not in _UAPI_MAY:
        return Finding(path, line, f'includes <{spelling}>',
                       'uapi headers include <linux/types.h> and <linux/ioctl.h> only',
                       'use the types those two give')
    return None


def _check_uapi_guard(source):
    for line, spelling, _ in source.includes():
        if spelling in _UAPI_MAY and '__VMLINUX_H__' not in source.without_comments:
            return [Finding(source.path, line, f'includes <{spelling}> unguarded',
                            'a BPF program that has vmlinux.h defines the same types again',
                            'put the include between #ifndef __VMLINUX_H__ and #endif')]
    return []


def _check_words(source, zone):
    for pattern, zones, may, why, todo in WORDS:
        if zone not in zones or any(fnmatch.fnmatchcase(source.path, one) for one in may):
            continue
        for match in re.finditer(pattern, source.code):
            line = source.code.count('\n', 0, match.start()) + 1
            yield Finding(source.path, line, match.group(0), why, todo)


def check_source(tree, source):
    zone = zone_of(source.path)
    if zone is None:
        yield Finding(source.path, 1, 'belongs to no layer',
                      'every source file has its place in the order',
                      'add it to ZONES and ALLOWED in tools/check_layers.py')
        return
    for line, spelling, quoted in source.includes():
        target = _resolve(tree, source.path, spelling, quoted)
        finding = (_own_include(source.path, zone, line, target) if target
                   else _foreign_include(source.path, zone, line, spelling))
        if finding:
            yield finding
    if zone == 'uapi':
        yield from _check_uapi_guard(source)
    yield from _check_words(source, zone)


def check(tree):
    """All findings of the files to judge in the tree."""
    for source in tree.sources():
        if source.is_c_family:
            yield from check_source(tree, source)


def main():
    parser = argparse.ArgumentParser(description='Check who includes whom.')
    parser.add_argument('--root', default=os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))), help='the checkout to judge (default: this one)')
    parser.add_argument('paths', nargs='*', metavar='PATH', help='only these files and folders')
    arguments = parser.parse_args()
    findings = sorted(check(Tree(arguments.root, arguments.paths)))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
