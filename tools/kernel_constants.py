# SPDX-License-Identifier: Apache-2.0
"""Names and values of the macros in the kernel's uapi headers, as the compiler sees them."""

import os
import re
import subprocess

# Includes that headers_install would remove, and those of the C library.
REMOVED_INCLUDES = ("linux/compiler.h", "linux/compiler_types.h", "sys/time.h",
                    "sys/ioctl.h", "sys/types.h")
# What those removed headers would have defined, or user space would have included first.
PRELUDE = "#include <stddef.h>\n#include <linux/types.h>\n#include <linux/time.h>\n"
MACRO = re.compile(r"#define (\w+) (.+)$")
ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^}]*)\}")
ENUMERATOR = re.compile(r"(?:^|,)\s*(\w+)")

class HeaderError(Exception):
    pass

class KernelConstants:
    """Headers in `include_dirs`; in the C library's own directories where that is None."""

    def __init__(self, compiler, include_dirs, work_dir):
        self._compiler = compiler
        self._work = work_dir
        stubs = os.path.join(work_dir, "stubs")
        for name in REMOVED_INCLUDES:
            path = os.path.join(stubs, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as out:
                out.write("/* empty on purpose */\n")
        self._flags, self._prelude = ["-w", "-D_GNU_SOURCE"], ""
        if include_dirs is not None:
            builtin = self._run(["-print-file-name=include"]).strip()
            self._prelude = PRELUDE
            self._flags += ["-nostdinc", "-ffreestanding", "-D__user=", "-D__force=", "-D__bitwise=",
                            "-D__attribute_const__=", "-D__always_inline=inline"]
            for directory in [stubs] + include_dirs + [builtin]:
                self._flags += ["-isystem", directory]
        self._macros = {}

    def _run(self, args, text=None):
        done = subprocess.run([self._compiler] + args, input=text, capture_output=True, text=True)
        if done.returncode:
            raise HeaderError(f"{self._compiler} {' '.join(args)}:\n{done.stderr}")
        return done.stdout

    def macros(self, header):
        """Object-like macros and enumerators that `header` brings: name -> body."""
        if header not in self._macros:
            text = self._run(self._flags + ["-E", "-dM", "-x", "c", "-"],
                             f"{self._prelude}#include <{header}>\n")
            found = dict(m.groups() for m in map(MACRO.match, text.splitlines()) if m)
            plain = self._run(self._flags + ["-E", "-P", "-x", "c", "-"],
                              f"{self._prelude}#include <{header}>\n")
            for body in ENUM.findall(plain):
                for name in ENUMERATOR.findall(body):
                    found.setdefault(name, name)
            self._macros[header] = found
        return self._macros[header]

    def values(self, headers, expressions):
        """The values of those expressions that are constants of integer type."""
        wanted = list(dict.fromkeys(expressions))
        includes = self._prelude + "".join(f"#include <{h}>\n" for h in headers)
        source = os.path.join(self._work, "values.c")
        program = os.path.join(self._work, "values")
        while True:
            head = includes + "int printf(const char *, ...);\nint main(void)\n{\n"
            first = head.count("\n") + 1
            with open(source, "w", encoding="ascii") as out:
                out.write(head)
                for text in wanted:
                    out.write(f'printf("%llu\\n", (unsigned long long)({text}));\n')
                out.write("return 0;\n}\n")
            done = subprocess.run([self._compiler] + self._flags +
                                  ["-fmax-errors=0", "-o", program, source],
                                  capture_output=True, text=True)
            if done.returncode == 0:
                break
            lines = {int(n) for n in re.findall(r"values\.c:(\d+):\d+: error", done.stderr)}
            bad = {n - first for n in lines if 0 <= n - first < len(wanted)}
            if not bad:
                raise HeaderError(f"{', '.join(headers)} do not compile:\n"
                                  + "\n".join(done.stderr.splitlines()[:6]))
            # Macros that are not integer expressions (types, statements): not ours.
            wanted = [text for n, text in enumerate(wanted) if n not in bad]
        printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        return dict(zip(wanted, map(int, printed.split())))
