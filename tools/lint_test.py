#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/lint as it is called: a clean tree passes; each rule has a seeded violation."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from lintlib import sparse
from lintlib.tree import Tree

TOP = pathlib.Path(__file__).resolve().parent.parent
GPL = '// SPDX-License-Identifier: GPL-2.0-only\n'
APACHE = '// SPDX-License-Identifier: Apache-2.0\n'
HASH = '# SPDX-License-Identifier: Apache-2.0\n'
PYTHON = '#!/usr/bin/env python3\n' + HASH
SHELL = '#!/bin/sh\n' + HASH
BODY = 'static int f(void)\n{\n\t%s\n}\n'

CLEAN = {
    'kmod/stop.c': GPL + '/* BUG_ON(x) and printk() only in words */\n' + BODY % (
        '/* pairs with g() */\n\tsmp_mb();\n'
        '\t/* uninterruptible: only unload gets here */\n\twait_event(queue, done);\n'
        '\tpr_info("printk(BUG())\\n");\n\treturn 0;'),
    'kmod/action.h': '/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */\n',
    'include/uapi/utrace.h': '/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */\n',
    'include/linux/utrace.h': '/* SPDX-License-Identifier: GPL-2.0-only */\n',
    'bench/peers/minimal.bpf.c': GPL,
    'tests/rig/seed/Kbuild': '# SPDX-License-Identifier: GPL-2.0-only\nobj-m := seed.o\n',
    'tests/rig/seed/seed.c': GPL + BODY % 'return 0;',
    'userspace/base/fd.cc': APACHE + 'int F() { return 0; }\n',
    'tools/run': PYTHON + 'import sys\n\nimport rig\n\nsys.exit(rig.main())\n',
    'tools/rig.py': PYTHON + 'def main():\n    return 0\n',
    'tools/go': SHELL + 'exec "$@"\n',
    'docs/json.md': '<!-- SPDX-License-Identifier: Apache-2.0 -->\n' + 'long ' * 40 + 'line\n',
    'data.json': '{}\n',
    'tests/x.patch': 'trailing \n',
    'empty': '',
}


def kernel(statement):
    return GPL + BODY % statement


# Name -> (file, its text, line, words the message must hold).
VIOLATIONS = {
    'no licence': ('userspace/base/fd.cc', 'int x;\n', 1, 'no SPDX line'),
    'licence of another folder': ('userspace/base/fd.cc', GPL, 1, 'demands Apache-2.0'),
    'module under Apache': ('kmod/stop.c', APACHE, 1, 'demands GPL-2.0-only'),
    'BPF under Apache': ('bench/peers/minimal.bpf.c', APACHE, 1, 'demands GPL-2.0-only'),
    'test module under Apache': ('tests/rig/seed/seed.c', APACHE, 1, 'demands GPL-2.0-only'),
    'uapi without note': (
        'include/uapi/utrace.h', '/* SPDX-License-Identifier: GPL-2.0-only */\n', 1, 'note'),
    'in-kernel API under Apache': (
        'include/linux/utrace.h', '/* SPDX-License-Identifier: Apache-2.0 */\n', 1, 'GPL-2.0'),
    'tracepoints under Apache': (
        'include/trace/events/a.h', '/* SPDX-License-Identifier: Apache-2.0 */\n', 1, 'GPL-2.0'),
    'action.h not dual': (
        'kmod/action.h', '/* SPDX-License-Identifier: GPL-2.0-only */\n', 1, 'OR Apache-2.0'),
    'header with // licence': ('include/linux/utrace.h', GPL, 1, '// comment'),
    'BUG_ON': ('kmod/stop.c', kernel('BUG_ON(x);'), 4, 'BUG_ON: it takes'),
    'BUG': ('bpf/a.bpf.c', kernel('BUG();'), 4, 'BUG: it takes'),
    'panic': ('kmod/stop.c', kernel('panic("x");'), 4, 'panic'),
    'printk': ('kmod/stop.c', kernel('printk("x");'), 4, 'printk'),
    'own pr_fmt': ('kmod/stop.c', GPL + '#define pr_fmt(x) x\n', 2, 'kmod/Kbuild'),
    'trace_printk': ('kmod/stop.c', kernel('trace_printk("x");'), 4, 'trace_printk'),
    'printing engine': ('bpf/engines/a.bpf.c', kernel('bpf_printk("x");'), 4, 'do not print'),
    'strcpy': ('kmod/stop.c', kernel('strcpy(a, b);'), 4, 'strscpy'),
    'volatile': ('kmod/stop.c', GPL + 'static volatile int x;\n', 2, 'READ_ONCE'),
    'extern in .c': ('kmod/stop.c', GPL + 'extern int g(void);\n', 2, 'extern'),
    'lone barrier': ('kmod/stop.c', kernel('smp_mb();'), 4, 'pairs with'),
    'lone compiler barrier': ('kmod/stop.c', kernel('barrier();'), 4, 'pairs with'),
    'lone release': ('kmod/stop.c', kernel('smp_store_release(&x, 1);'), 4, 'pairs with'),
    'barrier whose partner is far': (
        'kmod/stop.c', kernel('/* pairs with g() */\n' + '\tf();\n' * 8 + '\tsmp_mb();'), 13,
        'pairs with'),
    'unkillable wait': ('kmod/stop.c', kernel('wait_event(q, x);'), 4, 'SIGKILL'),
    'unkillable state': (
        'kmod/stop.c', kernel('set_current_state(TASK_UNINTERRUPTIBLE);'), 4, 'SIGKILL'),
    'layer': ('kmod/action.h', CLEAN['kmod/action.h'] + '#include "stop.c"\n', 2, 'kmod/stop.c'),
    'trailing white space': ('docs/json.md', HASH + 'x \n', 2, 'trailing'),
    'carriage return': ('data.json', '{\n}\r\n', 2, 'carriage return'),
    'no last line feed': ('data.json', '{}', 1, 'line feed'),
    'marker': ('docs/json.md', HASH + 'TO' 'DO later\n', 2, 'issue'),
    'conflict': ('docs/json.md', HASH + '<' * 7 + ' ours\n', 2, 'conflict'),
    'home of a machine': ('docs/json.md', HASH + 'in /home/' 'ann/src\n', 2, 'no other machine'),
    'mirror': ('docs/json.md', HASH + 'http://mirr' 'or.example/debian\n', 2, 'one network'),
    'long line': ('tools/rig.py', PYTHON + 'A = "' + 'x' * 120 + '"\n', 3, '126 columns'),
    'long file': ('tools/rig.py', PYTHON + 'A = 1\n' * 599, 601, '601 lines'),
    'banner': ('userspace/base/fd.cc', APACHE + '// ' + '=' * 20 + '\n', 2, 'banner'),
    'file named for nothing': ('userspace/base/str_utils.cc', APACHE, 1, 'named for nothing'),
    'large file': ('data.json', 'x\n' * 300000, 1, '600000 bytes'),
    'Python syntax': ('tools/rig.py', PYTHON + '\ndef main(:\n', 4, 'cannot compile'),
    'Python that parses only': ('tools/rig.py', PYTHON + 'return 1\n', 3, 'cannot compile'),
    'foreign package': ('tools/rig.py', PYTHON + 'import yaml\nyaml.load(1)\n', 3, 'standard'),
    'unused import': ('tools/rig.py', PYTHON + 'import os\n', 3, 'for nothing'),
    'bare except': (
        'tools/rig.py', PYTHON + 'try:\n    pass\nexcept:\n    pass\n', 5, 'without a type'),
    'mutable default': ('tools/rig.py', PYTHON + 'def f(a=[]):\n    return a\n', 3, 'mutable'),
    'shell quoting': ('tools/go', SHELL + 'rm $1\n', 3, 'SC2086'),
}


class LintTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        shutil.copy(TOP / '.clang-format', self.root)
        for path, text in CLEAN.items():
            self.write(path, text)
        shutil.copy(TOP / 'kmod/.clang-format', pathlib.Path(self.root, 'kmod'))

    def write(self, path, text):
        file = pathlib.Path(self.root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def lint(self, *arguments, **environment):
        run = subprocess.run(
            [sys.executable, '-B', str(TOP / 'tools/lint'), '--no-sparse', '--root', self.root,
             *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
            env={**os.environ, 'CI': 'false', **environment})
        return run.returncode, run.stdout.splitlines()

    def test_clean_tree_passes(self):
        status, lines = self.lint()
        self.assertEqual((0, f'tools/lint: {len(CLEAN) + 2} files, 0 findings'),
                         (status, lines[-1]), lines)

    def test_each_violation_is_reported_at_its_place(self):
        for name, (path, text, line, words) in VIOLATIONS.items():
            with self.subTest(name):
                self.write(path, text)
                status, lines = self.lint(path)
                hits = [one for one in lines
                        if one.startswith(f'{path}:{line}: ') and words in one]
                self.assertEqual((1, 1), (status, len(hits)), lines)
                others = [one for one in lines if one.startswith(tuple(CLEAN)) and one not in hits
                          and 'not formatted' not in one]
                self.assertLessEqual(len(others), 1 if name in ('carriage return', 'layer') else 0,
                                     lines)
                if path in CLEAN:
                    self.write(path, CLEAN[path])
                else:
                    pathlib.Path(self.root, path).unlink()

    def test_fix_formats_each_language_in_its_style(self):
        self.write('kmod/stop.c', kernel('scoped_guard(mutex, &m) {\n        g( 1 );\n\t}'))
        self.write('userspace/base/fd.cc', APACHE + 'int F( ) {\n\treturn 0; }  \n\n')
        status, lines = self.lint()
        self.assertEqual(1, status)
        for path in ('kmod/stop.c', 'userspace/base/fd.cc'):
            self.assertTrue([one for one in lines
                             if one.startswith(path) and 'not formatted' in one])
        self.assertIn('kmod/stop.c:5: indented by spaces', '\n'.join(lines))
        self.assertEqual(0, self.lint('--fix')[0])
        self.assertEqual(kernel('scoped_guard(mutex, &m) {\n\t\tg(1);\n\t}'),
                         pathlib.Path(self.root, 'kmod/stop.c').read_text())
        self.assertEqual(APACHE + 'int F() { return 0; }\n',
                         pathlib.Path(self.root, 'userspace/base/fd.cc').read_text())

    def test_a_long_file_is_a_note_before_it_is_a_finding(self):
        self.write('tools/rig.py', PYTHON + 'A = 1\n' * 450)
        status, lines = self.lint()
        self.assertEqual(0, status)
        self.assertTrue(lines[0].startswith('tools/rig.py:401: note: 452 lines'), lines)

    def test_only_named_paths_are_judged(self):
        self.write('tools/go', SHELL + 'rm $1\n')
        self.assertEqual(0, self.lint('kmod')[0])
        self.assertEqual(1, self.lint('tools')[0])
        self.assertEqual(2, self.lint('nowhere')[0])

    def test_a_path_of_the_checkout_is_found(self):
        self.write('docs/json.md', HASH + f'see {self.root}/docs\n')
        status, lines = self.lint()
        self.assertEqual(1, status)
        self.assertIn('docs/json.md:2: path of this machine', lines[0])

    def test_a_missing_tool_is_named_and_fails_in_ci(self):
        with tempfile.TemporaryDirectory() as empty:
            os.symlink(shutil.which('git'), os.path.join(empty, 'git'))
            status, lines = self.lint(PATH=empty)
            self.assertEqual(0, status, lines)
            skipped = [one for one in lines if one.startswith('skipped: ')]
            self.assertEqual(2, len(skipped), lines)
            self.assertIn('apt-get install', skipped[0])
            self.assertEqual(1, self.lint(PATH=empty, CI='true')[0])


class PreCommitTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        shutil.copytree(TOP / 'tools', pathlib.Path(self.root, 'tools'),
                        ignore=shutil.ignore_patterns('__pycache__'))
        self.git('init', '-q')
        for setting in ('core.hooksPath=tools', 'user.name=test', 'user.email=test@invalid'):
            self.git('config', *setting.split('='))

    def git(self, *arguments):
        # Called from a hook itself, the variables would name the repository outside.
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith('GIT_') and name != 'CI'}
        return subprocess.run(['git', '-C', self.root, *arguments], env=clean, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def test_the_index_is_judged_and_not_the_work_tree(self):
        script = pathlib.Path(self.root, 'go')
        script.write_text(SHELL + 'rm $1\n')
        self.git('add', 'go')
        script.write_text(SHELL + 'rm "$1"\n')
        refused = self.git('commit', '-m', 'go: run')
        self.assertEqual(1, refused.returncode, refused.stdout)
        self.assertIn('go:3: SC2086', refused.stdout)
        self.assertIn('nothing was committed', refused.stdout)
        self.git('add', 'go')
        script.write_text(SHELL + 'rm $1\n')
        taken = self.git('commit', '-m', 'go: run')
        self.assertEqual(0, taken.returncode, taken.stdout)


@unittest.skipIf(sparse.why_not(), sparse.why_not())
class SparseTest(unittest.TestCase):

    def test_a_plain_store_to_an_rcu_member_is_found(self):
        with tempfile.TemporaryDirectory() as root:
            source = pathlib.Path(root, 'kmod/stop.c')
            source.parent.mkdir()
            source.with_name('Kbuild').write_text('obj-m := utrace.o\nutrace-y := stop.o\n')
            text = (GPL + '#include <linux/module.h>\n#include <linux/spinlock.h>\n'
                    'static DEFINE_SPINLOCK(lock);\nstatic int number;\n'
                    'static int __rcu *value;\nstatic int __init start(void)\n{\n'
                    '\tguard(spinlock)(&lock);\n\t%s;\n\treturn 0;\n}\nmodule_init(start);\n'
                    'MODULE_DESCRIPTION("x");\nMODULE_LICENSE("GPL");\n')
            source.write_text(text % 'value = &number')
            found = list(sparse.check(Tree(root)))
            self.assertEqual([('kmod/stop.c', 10)], [(one.path, one.line) for one in found])
            self.assertIn('different address spaces', found[0].why)
            source.write_text(text % 'rcu_assign_pointer(value, &number)')
            self.assertEqual([], list(sparse.check(Tree(root))))
            source.write_text(text % 'nothing()')
            self.assertEqual('kmod/stop.c', next(sparse.check(Tree(root))).path)


if __name__ == '__main__':
    unittest.main()
