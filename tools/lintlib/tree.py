# SPDX-License-Identifier: Apache-2.0
"""The files of a checkout as the rules see them, and what a rule hands back."""
import dataclasses
import functools
import os
import re
import subprocess

_TOKEN = re.compile(
    r'(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)'
    r'|(?P<text>R"(?P<tag>[^(\s"]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*')",
    re.DOTALL)
_KERNEL_FOLDERS = ('kmod/', 'bpf/', 'include/linux/', 'include/trace/', 'include/uapi/')
_SKIPPED_FOLDERS = {'.git', '.cache', 'build', '__pycache__'}


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One breach of a rule; a note is shown but does not fail the run."""
    path: str
    line: int
    what: str
    why: str
    todo: str
    note: bool = False

    def __str__(self):
        kind = 'note: ' if self.note else ''
        return f'{self.path}:{self.line}: {kind}{self.what}: {self.why}; {self.todo}'


def _blank(match, kinds):
    if not any(match.group(kind) for kind in kinds):
        return match.group()
    return re.sub(r'[^\n]', ' ', match.group())


def _split(text):
    # str.splitlines() also splits at form feeds, and line numbers would no longer be an editor's.
    lines = text.split('\n')
    return lines[:-1] if lines[-1] == '' else lines


class Source:
    """One text file. All views of it keep line numbers and columns."""

    def __init__(self, path, text):
        self.path = path
        self.text = text

    @functools.cached_property
    def lines(self):
        return _split(self.text)

    @functools.cached_property
    def without_comments(self):
        """C-like text with comments blanked, strings kept (an #include needs them)."""
        return _TOKEN.sub(lambda m: _blank(m, ['comment']), self.text)

    @functools.cached_property
    def code(self):
        """C-like text with comments and the insides of strings blanked."""
        return _TOKEN.sub(lambda m: _blank(m, ['comment', 'text']), self.text)

    @functools.cached_property
    def code_lines(self):
        return _split(self.code)

    @functools.cached_property
    def comment_lines(self):
        """For each line, the part of it that is comment."""
        kept = []
        position = 0
        for match in _TOKEN.finditer(self.text):
            if match.group('comment'):
                kept.append(re.sub(r'[^\n]', '', self.text[position:match.start()]))
                kept.append(match.group())
                position = match.end()
        kept.append(re.sub(r'[^\n]', '', self.text[position:]))
        return _split(''.join(kept))

    def includes(self):
        """(line, spelling, is_quoted) of every #include."""
        pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)
        for match in pattern.finditer(self.without_comments):
            line = self.text.count('\n', 0, match.start()) + 1
            yield line, match.group(1) or match.group(2), match.group(1) is not None

    @property
    def shebang(self):
        first = self.lines[0] if self.lines else ''
        return first if first.startswith('#!') else ''

    @property
    def is_cxx(self):
        return self.path.endswith(('.cc', '.cpp', '.hpp'))

    @property
    def is_c_family(self):
        return self.is_cxx or self.path.endswith(('.c', '.h'))

    @property
    def is_python(self):
        return self.path.endswith('.py') or 'python' in self.shebang

    @property
    def is_shell(self):
        return bool(re.match(r'#!\s*\S*(/|env )(ba|da)?sh\b', self.shebang)) or (
            not self.shebang and self.path.endswith('.sh'))


class Tree:
    """A checkout (or an exported index): every file of it, and which ones to judge."""

    def __init__(self, root, wanted=()):
        self.root = os.path.abspath(root)
        self.paths = self._list()
        self._known = set(self.paths)
        self.wanted = self._select(wanted)
        self._sources = {}

    def _list(self):
        # An exported index has no .git of its own, and git must not answer for a checkout
        # that happens to lie around it.
        if os.path.exists(os.path.join(self.root, '.git')):
            listed = subprocess.run(
                ['git', '-C', self.root, 'ls-files', '-z', '-co', '--exclude-standard'],
                check=True, stdout=subprocess.PIPE).stdout.decode()
            names = set(listed.split('\0')) - {''}
        else:
            names = set()
            for folder, folders, files in os.walk(self.root):
                folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
                names.update(os.path.relpath(os.path.join(folder, name), self.root)
                             for name in files)
        return sorted(name for name in names if self._is_plain(name))

    def _is_plain(self, name):
        full = os.path.join(self.root, name)
        return os.path.isfile(full) and not os.path.islink(full)

    def _select(self, wanted):
        if not wanted:
            return self.paths
        prefixes = [os.path.normpath(name) for name in wanted]
        chosen = [path for path in self.paths
                  if any(prefix in ('.', path) or path.startswith(prefix + '/')
                         for prefix in prefixes)]
        return chosen

    def __contains__(self, path):
        return path in self._known

    def full(self, path):
        return os.path.join(self.root, path)

    def source(self, path):
        """The file's text, or None if it is not text."""
        if path not in self._sources:
            with open(self.full(path), 'rb') as file:
                data = file.read()
            try:
                text = None if b'\0' in data else data.decode()
            except UnicodeDecodeError:
                text = None
            self._sources[path] = None if text is None else Source(path, text)
        return self._sources[path]

    def sources(self):
        """The text files to judge."""
        for path in self.wanted:
            source = self.source(path)
            if source is not None:
                yield source

    def is_kernel_c(self, path):
        """C that goes into the kernel: the module, BPF, their headers, and modules of tests."""
        if not path.endswith(('.c', '.h')):
            return False
        if path.startswith(_KERNEL_FOLDERS):
            return True
        return path.endswith('.bpf.c') or f'{os.path.dirname(path)}/Kbuild' in self
