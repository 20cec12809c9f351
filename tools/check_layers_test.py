#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A clean tree passes; each rule has a seeded violation, found at its file and line."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import check_layers
from lintlib.tree import Tree

GUARDED = '#ifndef __VMLINUX_H__\n#include <linux/types.h>\n#include <linux/ioctl.h>\n#endif\n'

CLEAN = {
    'include/uapi/utrace.h': GUARDED + '#define UTRACE_IOC_X _IO(0, 1)\n',
    'include/uapi/utrace_records.h': GUARDED + '#include "utrace.h"\n',
    'include/linux/utrace.h': '#include <linux/sched.h>\n#include <uapi/utrace.h>\n',
    'include/utrace/session.h': '#include <memory>\n#include "include/uapi/utrace.h"\n',
    'kmod/action.h': '#include "../include/uapi/utrace.h"\n',
    'kmod/task.h': '#include "action.h"\n',
    'kmod/engine.h': '#include "task.h"\n#include <linux/utrace.h>\n',
    'kmod/stop.h': '#include "engine.h"\n',
    'kmod/stop.c': '#include "stop.h"\n#include "compat/compat.h"\n#include "gates.h"\n',
    'kmod/gates.h': '#include <linux/types.h>\n',
    'kmod/report.h': '#include "stop.h"\n#include <trace/events/utrace.h>\n',
    'kmod/attach.c': '#include "report.h"\n',
    'kmod/attach.h': '#include "engine.h"\n',
    'kmod/control.c': '#include "report.h"\n#include "hooks/hooks.h"\n',
    'kmod/examine.c': '#include "stop.h"\n',
    'kmod/trace.c': '#include <trace/events/utrace.h>\n',
    'include/trace/events/utrace.h': '#include <linux/tracepoint.h>\n#include <uapi/utrace.h>\n',
    'kmod/events/events.h': '#include <linux/types.h>\n',
    'kmod/events/syscall.c': '#include "events.h"\n#include "../report.h"\n#include "attach.h"\n',
    'kmod/hooks/hooks.h': '#include <linux/types.h>\n',
    'kmod/hooks/exec.c': '#include "hooks.h"\n#include "../events/events.h"\n'
                         '#include "../compat/compat.h"\n#ifdef HAVE_X\n#endif\n',
    'kmod/arch/x86/syscall.c': '#include "../../compat/compat.h"\n#ifdef HAVE_X\n#endif\n',
    'kmod/compat/compat.h': '#include <linux/version.h>\n'
                            '#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)\n#endif\n',
    'kmod/ring.h': '#include "action.h"\n',
    'kmod/session.h': '#include "ring.h"\n#include "attach.h"\n',
    'kmod/chardev.c': '#include "session.h"\n'
                      'int f(void)\n{\n\treturn copy_from_user(a, b, c);\n}\n',
    'kmod/main.c': '#include "session.h"\n#include "hooks/hooks.h"\n',
    'kmod/session.c': '#include "session.h"\n/* copy_to_user(x) is in chardev.c */\n',
    'bpf/engines/observe.bpf.c': '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n'
                                 '#include "include/uapi/utrace_records.h"\n',
    'userspace/base/unique_fd.h': '#include <unistd.h>\n',
    'userspace/libutrace/session.cc': '#include <sys/ioctl.h>\n'
                                      '#include "include/utrace/session.h"\n'
                                      '#include "userspace/base/unique_fd.h"\n'
                                      'int f() { return ioctl(1, 2); }\n',
    'userspace/libutrace/session.h': '#include <string>\n',
    'userspace/libutrace/bpf/object.h': '#include <bpf/libbpf.h>\n'
                                        '#include "userspace/libutrace/session.h"\n',
    'userspace/symbols/symbolizer.cc': '#include <bcc/bcc_syms.h>\n',
    'userspace/testing/fake_device.h': '#include "userspace/libutrace/session.h"\n',
    'userspace/libutrace/session_test.cc': '#include "userspace/testing/fake_device.h"\n',
    'userspace/utracectl/command.h': '#include "CLI/CLI.hpp"\n',
    'userspace/utracectl/commands/stop.cc': '#include "userspace/utracectl/command.h"\n'
                                            '#include "userspace/libutrace/session.h"\n'
                                            'const char* text = "ioctl(3)";  // ioctl(3)\n',
    'tests/unit/action_test.cc': '#include "kmod/action.h"\n',
    'tests/integration/abi_test.cc': '#include "include/uapi/utrace.h"\n',
    'vm/init.cc': '#include <unistd.h>\n',
}

# Name -> (file, its text, line of the violation, word the message must hold).
VIOLATIONS = {
    'uapi includes another header': (
        'include/uapi/utrace.h', GUARDED + '#include <linux/sched.h>\n', 5, 'linux/sched.h'),
    'uapi knows something of ours': (
        'include/uapi/utrace.h', GUARDED + '#include "../linux/utrace.h"\n', 5, 'uapi'),
    'uapi include without guard': (
        'include/uapi/utrace.h', '\n#include <linux/types.h>\n', 2, '__VMLINUX_H__'),
    'in-kernel API knows the module': (
        'include/linux/utrace.h', '#include "../../kmod/task.h"\n', 1, 'kernel-api'),
    'public header knows private ones': (
        'include/utrace/session.h', '#include "userspace/libutrace/session.h"\n', 1, 'public'),
    'action knows task': ('kmod/action.h', '#include "task.h"\n', 1, 'kmod/task.h'),
    'task knows engine': ('kmod/task.h', '\n#include "engine.h"\n', 2, 'kmod/engine.h'),
    'engine knows stop': ('kmod/engine.h', '#include "stop.h"\n', 1, 'kmod/stop.h'),
    'stop knows report': ('kmod/stop.h', '#include "report.h"\n', 1, 'kmod/report.h'),
    'report knows attach': ('kmod/report.h', '#include "attach.h"\n', 1, 'kmod/attach.h'),
    'control knows attach': ('kmod/control.c', '#include "attach.h"\n', 1, 'kmod/attach.h'),
    'examine knows events': (
        'kmod/examine.c', '#include "events/events.h"\n', 1, 'kmod/events/events.h'),
    'core knows session': ('kmod/attach.c', '#include "session.h"\n', 1, 'kmod/session.h'),
    'chardev knows compat': (
        'kmod/chardev.c', '#include "compat/compat.h"\n', 1, 'kmod/compat/compat.h'),
    'events know session': (
        'kmod/events/syscall.c', '#include "../session.h"\n', 1, 'kmod/session.h'),
    'hooks know the core': (
        'kmod/hooks/exec.c', '#include "hooks.h"\n#include "../report.h"\n', 2, 'events/events.h'),
    'ring knows session': ('kmod/ring.h', '#include "session.h"\n', 1, 'kmod/session.h'),
    'session knows chardev': ('kmod/session.h', '#include "chardev.c"\n', 1, 'kmod/chardev.c'),
    'chardev skips session': ('kmod/chardev.c', '#include "attach.h"\n', 1, 'kmod/attach.h'),
    'gate knows task': ('kmod/gates.h', '#include "task.h"\n', 1, 'kmod/task.h'),
    'tracepoints know report': (
        'include/trace/events/utrace.h', '#include "kmod/report.h"\n', 1, 'kmod/report.h'),
    'compat knows the core': (
        'kmod/compat/compat.h', '#include "../report.h"\n', 1,
        'kmod/report.h'),
    'arch knows the core': (
        'kmod/arch/x86/syscall.c', '#include "../../task.h"\n', 1,
        'kmod/task.h'),
    'hook interface knows the core': (
        'kmod/hooks/hooks.h', '#include "../task.h"\n', 1,
        'kmod/task.h'),
    'event interface knows session': (
        'kmod/events/events.h', '#include "../session.h"\n', 1,
        'kmod/session.h'),
    'memory knows events': (
        'kmod/memory.c', '#include "events/events.h"\n', 1,
        'kmod/events/events.h'),
    'kfuncs know session': ('kmod/bpf_kfuncs.c', '#include "session.h"\n', 1, 'kmod/session.h'),
    'BPF engines know session': ('kmod/bpf_ops.c', '#include "session.h"\n', 1, 'kmod/session.h'),
    'debugfs knows chardev': ('kmod/debugfs.c', '#include "chardev.c"\n', 1, 'kmod/chardev.c'),
    'self-test knows chardev': (
        'kmod/selftest/action.c', '#include "../chardev.c"\n', 1,
        'kmod/chardev.c'),
    'main knows a program': (
        'kmod/main.c', '#include "userspace/base/unique_fd.h"\n', 1,
        'userspace/base'),
    'sample knows more than the API': (
        'kmod/samples/count.c', '#include "../task.h"\n', 1,
        'kmod/task.h'),
    'BPF half knows symbols': (
        'userspace/libutrace/bpf/object.h', '#include "userspace/symbols/symbolizer.cc"\n', 1,
        'symbols'),
    'fake knows utracectl': (
        'userspace/testing/fake_device.h', '#include "userspace/utracectl/command.h"\n', 1,
        'utracectl'),
    'output knows the frame': (
        'userspace/utracectl/output/text.cc', '#include "userspace/utracectl/command.h"\n', 1,
        'output'),
    'command knows the module': (
        'userspace/utracectl/commands/stop.cc', '#include "kmod/task.h"\n', 1,
        'kmod/task.h'),
    'frame knows the fake': (
        'userspace/utracectl/command.h', '#include "userspace/testing/fake_device.h"\n', 1,
        'testing'),
    'bench knows the module': ('bench/run.cc', '#include "kmod/task.h"\n', 1, 'kmod/task.h'),
    'tool knows the module': ('tools/layout.c', '#include "kmod/task.h"\n', 1, 'kmod/task.h'),
    'a layer nobody knows': ('kmod/helpers.c', 'int x;\n', 1, 'no layer'),
    'kernel version outside compat': (
        'kmod/hooks/exec.c', '\n\n#if LINUX_VERSION_CODE > 1\n#endif\n', 3, 'kmod/compat'),
    'version header in the core': (
        'kmod/task.h', '#include <linux/version.h>\n', 1, 'linux/version.h'),
    'feature name in the core': ('kmod/report.h', '#ifdef HAVE_X\n#endif\n', 1, 'HAVE_X'),
    'user structure copied elsewhere': (
        'kmod/session.c', '\nint f(void)\n{\n\treturn copy_to_user(a, b, c);\n}\n', 4, 'chardev'),
    'user value fetched elsewhere': (
        'kmod/control.c', 'int f(void)\n{\n\treturn get_user(a, b);\n}\n', 3, 'chardev'),
    'ioctl defined elsewhere': (
        'userspace/libutrace/session.h', '#define X _IOWR(1, 2, int)\n', 1, 'include/uapi'),
    'BPF knows the module': (
        'bpf/engines/observe.bpf.c', '#include "../../kmod/task.h"\n', 1, 'kmod/task.h'),
    'base knows libutrace': (
        'userspace/base/unique_fd.h', '#include "userspace/libutrace/session.h"\n', 1, 'base'),
    'libutrace knows CLI11': (
        'userspace/libutrace/session.h', '#include <CLI/CLI.hpp>\n', 1, 'CLI11'),
    'libutrace knows BCC': (
        'userspace/libutrace/session.h', '#include <bcc/BPF.h>\n', 1, 'userspace/symbols'),
    'libbpf outside libutrace/bpf': (
        'userspace/libutrace/session.h', '#include <bpf/libbpf.h>\n', 1, 'libbpf'),
    'skeleton outside libutrace/bpf': (
        'userspace/utracectl/commands/stop.cc', '#include "observe.skel.h"\n', 1, 'libbpf'),
    'libutrace knows its BPF half': (
        'userspace/libutrace/session.h', '#include "userspace/libutrace/bpf/object.h"\n', 1,
        'libutrace-bpf'),
    'symbols know utracectl': (
        'userspace/symbols/symbolizer.cc', '#include "userspace/utracectl/command.h"\n', 1,
        'utracectl'),
    'product code knows the fake': (
        'userspace/libutrace/session.cc', '#include "userspace/testing/fake_device.h"\n', 1,
        'testing'),
    'command calls ioctl': (
        'userspace/utracectl/commands/stop.cc', 'int f() {\n  return ::ioctl(1, 2);\n}\n', 2,
        'commands never call ioctl'),
    'command includes ioctl': (
        'userspace/utracectl/commands/stop.cc', '#include <sys/ioctl.h>\n', 1,
        'commands never call ioctl'),
    'user space knows the module': (
        'userspace/libutrace/session.cc', '#include "kmod/task.h"\n', 1, 'kmod/task.h'),
    'test includes a module header': (
        'tests/integration/abi_test.cc', '#include "kmod/action.h"\n', 1, 'unit test of action.h'),
    'test of action knows more': (
        'tests/unit/action_test.cc', '#include "kmod/task.h"\n', 1, 'kmod/task.h'),
    'rig knows the project': (
        'vm/init.cc', '#include "userspace/base/unique_fd.h"\n', 1, 'vm'),
}


class CheckLayersTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        file = pathlib.Path(self.root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def findings(self):
        return sorted(check_layers.check(Tree(self.root)))

    def test_clean_tree_passes(self):
        self.assertEqual([], [str(finding) for finding in self.findings()])

    def test_each_violation_is_reported_at_its_place(self):
        for name, (path, text, line, word) in VIOLATIONS.items():
            with self.subTest(name):
                self.write(path, text)
                found = self.findings()
                self.assertEqual([(path, line)], [(one.path, one.line) for one in found])
                self.assertIn(word, str(found[0]))
                if path in CLEAN:
                    self.write(path, CLEAN[path])
                else:
                    os.unlink(os.path.join(self.root, path))

    def test_tables_name_the_same_zones(self):
        zones = {zone for _, zone in check_layers.ZONES}
        self.assertEqual(zones, set(check_layers.ALLOWED))
        named = set().union(*check_layers.ALLOWED.values())
        self.assertEqual(set(), named - zones)

    def test_command_line_prints_and_fails(self):
        self.write('kmod/action.h', '\n#include "task.h"\n')
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'check_layers.py')
        run = subprocess.run([sys.executable, script, '--root', self.root],
                             stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(1, run.returncode)
        self.assertTrue(run.stdout.startswith('kmod/action.h:2: includes kmod/task.h: '))


if __name__ == '__main__':
    unittest.main()
