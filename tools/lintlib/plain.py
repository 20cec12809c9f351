# SPDX-License-Identifier: Apache-2.0
"""Rules for every text file: white space, length, left-overs, traces of a build machine."""
import os
import re
import subprocess

from .tree import Finding

COLUMNS = 100
SCRIPT_COLUMNS = 120
SOFT_LINES = 400
HARD_LINES = 600
LARGE_BYTES = 512 * 1024

# Spelt so that this file does not match itself.
_MARKER = re.compile(r'\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K|not [i]mplemented|un[i]mplemented)\b')
_CONFLICT = re.compile(r'^(<{7} |={7}$|>{7} )')
_HOME = re.compile(r'(?<![\w.$}*])/(home/[a-z][\w-]*|Users/\w+|root/\.?\w+)/')
_MIRROR = re.compile(r'https?://[\w.-]*(mirr[o]r|artif[a]ctory|nex[u]s|pr[o]xy)[\w.-]*')
_BANNER = re.compile(r'([=*#~+_]|-(?!->))\1{9,}')
_UTILS = re.compile(r'(^|/|_)(utils?|helpers?|misc|common)\.\w+$')
_COMMON_FOLDERS = {'/', '/tmp', '/var/tmp', '/usr/src', '/src', '/opt', '/mnt', '/srv', '/home',
                   '/root'}


def machine_paths(root):
    """Paths that only this machine has: the checkouts concerned, and the folders they lie in."""
    # An exported index is judged by the tools/lint of its checkout.
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    homes = {os.path.realpath(root), own}
    for home in list(homes):
        if os.path.exists(os.path.join(home, '.git')):
            asked = subprocess.run(
                ['git', '-C', home, 'rev-parse', '--path-format=absolute', '--git-common-dir'],
                stdout=subprocess.PIPE, text=True, check=True)
            homes.add(os.path.dirname(os.path.realpath(asked.stdout.strip())))
    homes |= {os.path.dirname(home) for home in homes}
    return sorted(home + '/' for home in homes if home not in _COMMON_FOLDERS)


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def _width(line):
    return len(line.expandtabs(8))


def _check_line(source, number, line, homes):
    def finding(what, why, todo):
        return Finding(source.path, number, what, why, todo)

    if line != line.rstrip():
        yield finding('trailing white space', 'it shows up as noise in later diffs',
                      'run tools/lint --fix')
    if _CONFLICT.match(line):
        yield finding('conflict marker', 'a merge was left unfinished', 'finish it')
    marker = _MARKER.search(line)
    if marker:
        yield finding(marker.group(), 'what is missing belongs in an issue, not in the code',
                      'do it, or open an issue and take the marker out')
    for home in homes:
        if home in line:
            yield finding(f'path of this machine: {home}', 'no other machine has it',
                          'derive the path, or use UTRACE_CACHE')
            break
    else:
        match = _HOME.search(line)
        if match:
            yield finding(f'path of a machine: {match.group()}', 'no other machine has it',
                          'derive the path, or use $HOME')
    match = _MIRROR.search(line)
    if match:
        yield finding(f'host {match.group()}', 'it may be known to one network only',
                      "take hosts from the system's own apt sources")
    limit = COLUMNS if source.is_c_family else SCRIPT_COLUMNS
    # A message stays one string, so that whoever saw it finds it.
    bare = _STRING.sub('""', line) if source.is_c_family else line
    if _is_code(source) and _width(bare) > limit and '://' not in line:
        yield finding(f'{_width(line)} columns', f'the limit is {limit}', 'break the line')


def _is_code(source):
    return source.is_c_family or source.is_python or source.is_shell


def _check_shape(source):
    if not source.text:
        return
    if '\r' in source.text:
        yield Finding(source.path, source.text[:source.text.index('\r')].count('\n') + 1,
                      'carriage return', 'lines end in a line feed', 'run tools/lint --fix')
    if not source.text.endswith('\n'):
        yield Finding(source.path, len(source.lines), 'no line feed at the end',
                      'the next line added would show as two changes', 'run tools/lint --fix')
    if _UTILS.search(source.path) and source.is_c_family:
        yield Finding(source.path, 1, 'a file named for nothing',
                      'whatever has no home gathers there', 'name it after its one noun')
    if not _is_code(source):
        return
    count = len(source.lines)
    if count > HARD_LINES:
        yield Finding(source.path, HARD_LINES + 1, f'{count} lines', f'the limit is {HARD_LINES}',
                      'let one idea move out into a file of its own')
    elif count > SOFT_LINES:
        yield Finding(source.path, SOFT_LINES + 1, f'{count} lines',
                      f'over {SOFT_LINES} a file begins to hold two ideas',
                      f'look for one that can move out (limit {HARD_LINES})', note=True)


def _check_banners(source):
    comments = source.comment_lines if source.is_c_family else [
        line if line.lstrip().startswith('#') else '' for line in source.lines]
    for number, line in enumerate(comments, 1):
        hit = _BANNER.search(line)
        if hit:
            yield Finding(source.path, number, 'banner comment', 'it says nothing a name would not',
                          'take it out; if the file needs chapters, it needs to be two files')


def check(tree):
    homes = machine_paths(tree.root)
    for path in tree.wanted:
        size = os.path.getsize(tree.full(path))
        if size > LARGE_BYTES:
            yield Finding(path, 1, f'{size} bytes', 'large files are mostly generated',
                          'generate it at build time, or keep it in the cache')
    for source in tree.sources():
        if source.path.startswith('LICENSES/') or source.path.endswith('.patch'):
            continue
        for number, line in enumerate(source.lines, 1):
            yield from _check_line(source, number, line, homes)
        yield from _check_shape(source)
        if _is_code(source):
            yield from _check_banners(source)


def fix(tree):
    """Mend white space in place."""
    for source in tree.sources():
        if not source.text or source.path.startswith('LICENSES/') or (
                source.path.endswith('.patch')):
            continue
        mended = '\n'.join(line.rstrip() for line in source.lines).rstrip('\n') + '\n'
        if mended != source.text:
            with open(tree.full(source.path), 'w', newline='\n') as file:
                file.write(mended)
