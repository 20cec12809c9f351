# SPDX-License-Identifier: Apache-2.0
"""Shell and Python, wherever a #! line or a name says so."""
import ast
import os
import re
import subprocess
import sys

from .tree import Finding

_GCC_LINE = re.compile(r'(?P<path>[^:]+):(?P<line>\d+):\d+: \w+: (?P<text>.*) \[(?P<code>SC\d+)\]')


def _imports(module):
    """(line, name as bound here, top-level package, is relative) of every import."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for name in node.names:
                top = name.name.split('.')[0]
                yield node.lineno, name.asname or top, top, False
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                top = (node.module or '').split('.')[0]
                yield node.lineno, name.asname or name.name, top, node.level > 0


def _used_names(module):
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == '__all__'
                for target in node.targets):
            used |= {leaf.value for leaf in ast.walk(node.value) if isinstance(leaf, ast.Constant)}
    return used


def _local_packages(tree):
    """Modules of our own, wherever they lie: some programs add their folder to sys.path."""
    names = set()
    for path in tree.paths:
        if path.endswith('.py'):
            folder, name = os.path.split(path)
            names.add(os.path.basename(folder) if name == '__init__.py' else name[:-3])
    return names


def _python(source, local):
    try:
        module = ast.parse(source.text, source.path)
        compile(module, source.path, 'exec')
    except SyntaxError as error:
        yield Finding(source.path, error.lineno or 1, 'Python cannot compile it', error.msg,
                      'mend the syntax')
        return
    used = _used_names(module)
    for line, name, package, relative in _imports(module):
        if not relative and package not in sys.stdlib_module_names | local:
            yield Finding(source.path, line, f'imports {package}',
                          'rigs and tools use the standard library only', 'do without it')
        if name not in used and not source.path.endswith('__init__.py') and name != '*':
            yield Finding(source.path, line, f'imports {name} for nothing', 'nothing uses it',
                          'take it out')
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield Finding(source.path, node.lineno, 'except without a type',
                          'it swallows Ctrl-C and our own mistakes', 'name what is expected')
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            defaults = node.args.defaults + [one for one in node.args.kw_defaults if one]
            for default in defaults:
                if isinstance(default, (ast.List, ast.Dict, ast.Set)):
                    yield Finding(source.path, default.lineno, 'mutable default argument',
                                  'all calls share it', 'default to None or a tuple')


def check_python(tree):
    local = _local_packages(tree)
    for source in tree.sources():
        if source.is_python:
            yield from _python(source, local)


def check_shell(tree):
    paths = [source.path for source in tree.sources() if source.is_shell]
    if not paths:
        return
    run = subprocess.run(['shellcheck', '-x', '-f', 'gcc', '--', *paths], cwd=tree.root,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    matches = list(_GCC_LINE.finditer(run.stdout))
    if run.returncode not in (0, 1) or (run.returncode and not matches):
        yield Finding(paths[0], 1, 'shellcheck failed', (run.stderr or run.stdout).strip(),
                      'run it by hand on this file')
    for match in matches:
        yield Finding(match['path'], int(match['line']), match['code'], match['text'],
                      f'see shellcheck.net/wiki/{match["code"]}')
