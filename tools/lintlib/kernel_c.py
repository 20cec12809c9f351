# SPDX-License-Identifier: Apache-2.0
"""Rules for C that runs in the kernel. Who may know what is in check_layers.py instead."""
import fnmatch
import re

from .tree import Finding

# (pattern in code, paths it holds for, why, what to do)
FORBIDDEN = [
    (r'\b(VM_)?BUG(_ON\w*)?(?=\s*\()', '*', 'it takes the whole machine down',
     'return an errno; WARN_ON_ONCE with a way on if only our own mistake can cause it'),
    (r'\bpanic(?=\s*\()', '*', 'it takes the whole machine down', 'return an errno'),
    (r'\bprintk\w*(?=\s*\()', '*', 'it has neither level nor our prefix',
     'use pr_err, pr_warn_ratelimited, pr_info or pr_debug'),
    (r'#[ \t]*define[ \t]+pr_fmt\b', 'kmod/*', 'the prefix is set once, in kmod/Kbuild',
     'take it out'),
    (r'\btrace_printk(?=\s*\()', '*', 'it slows the whole kernel and warns at load',
     'use a tracepoint of ours or pr_debug'),
    (r'\bbpf_(trace_)?printk(?=\s*\()', 'bpf/engines/*', 'shipped engines do not print',
     'put it into a record'),
    (r'\b(strcpy|strcat|strncpy|strlcpy|sprintf|vsprintf)(?=\s*\()', '*',
     'it cannot tell the end of its buffer', 'use strscpy or scnprintf'),
    (r'\bvolatile\b', 'kmod/*', 'it orders nothing', 'use READ_ONCE and WRITE_ONCE'),
]
_EXTERN = re.compile(r'^extern\b[^;{]*\(', re.M)

_BARRIER = re.compile(
    r'\b(smp_(mb|rmb|wmb|mb__\w+|store_mb|store_release|load_acquire|acquire__after_ctrl_dep)'
    r'|[rw]?mb|(atomic|xchg|cmpxchg|try_cmpxchg)\w*_(acquire|release))(?=\s*\()'
    r'|\bbarrier(?=\s*\(\s*\))')
_PAIRS = re.compile(r'\bpair(s|ed|ing)?\b[\s*/]+(\w+[\s*/]+){0,4}?with\b', re.I)
_PAIR_ABOVE = 8
_PAIR_BELOW = 1

_UNKILLABLE = re.compile(
    r'\b(wait_event(_timeout|_lock_irq|_cmd)?|wait_for_completion(_timeout)?'
    r'|schedule_timeout_uninterruptible)(?=\s*\()|\bTASK_UNINTERRUPTIBLE\b')
_SAYS_UNKILLABLE = re.compile(r'\b(unkillable|uninterruptibl[ey]|not[\s*/]+killable)\b', re.I)

# Fewer than eight spaces after the tabs may align a continued line.
_SPACES = re.compile(r'^[ \t]*( {8}| \t)')


def _line_of(text, position):
    return text.count('\n', 0, position) + 1


def _near(source, line, above, below):
    return '\n'.join(source.comment_lines[max(0, line - 1 - above):line + below])


def _forbidden(source):
    for pattern, paths, why, todo in FORBIDDEN:
        if not fnmatch.fnmatchcase(source.path, paths):
            continue
        for match in re.finditer(pattern, source.code):
            yield Finding(source.path, _line_of(source.code, match.start()), match.group(), why,
                          todo)
    if source.path.endswith('.c') and not source.path.endswith('.bpf.c'):
        for match in _EXTERN.finditer(source.code):
            yield Finding(source.path, _line_of(source.code, match.start()),
                          'extern function in a .c file', 'nothing checks it against the callee',
                          'include the header that declares it')


def _barriers(source):
    for match in _BARRIER.finditer(source.code):
        line = _line_of(source.code, match.start())
        if source.code_lines[line - 1].lstrip().startswith('#'):
            continue
        if not _PAIRS.search(_near(source, line, _PAIR_ABOVE, _PAIR_BELOW)):
            yield Finding(source.path, line, match.group(),
                          'a barrier is half of a pair, and the other half is not named',
                          'write "pairs with FUNCTION()" in a comment above it')


def _waits(source):
    for match in _UNKILLABLE.finditer(source.code):
        line = _line_of(source.code, match.start())
        if not _SAYS_UNKILLABLE.search(_near(source, line, _PAIR_ABOVE, 0)):
            yield Finding(source.path, line, match.group(), 'SIGKILL always wins, in every wait',
                          'wait killably, or say in a comment above why it is uninterruptible')


def _indentation(source):
    for number, (raw, code) in enumerate(zip(source.lines, source.code_lines), 1):
        if code.strip() and _SPACES.match(raw):
            yield Finding(source.path, number, 'indented by spaces',
                          'kernel C is indented by tabs of 8', 'run tools/lint --fix')


def check(tree):
    for source in tree.sources():
        if tree.is_kernel_c(source.path):
            yield from _forbidden(source)
            yield from _barriers(source)
            yield from _waits(source)
            yield from _indentation(source)
