# SPDX-License-Identifier: Apache-2.0
"""Prototypes and numbers of the system calls, read from the kernel's own headers."""

import re

PROTOTYPE = re.compile(r"asmlinkage\s+long\s+sys_(\w+)\s*\(([^;]*?)\)\s*;", re.S)
ENTRY = re.compile(r"__SYSCALL(\w*)\((\d+),\s*(\w+)(?:,\s*(\w+))?\)")
NUMBER = re.compile(r"#define\s+__NR_(\w+)\s+(\d+)")
PATH_NAMES = {"filename", "pathname", "path", "oldname", "newname", "oldpath", "newpath", "name",
              "dir_name", "dev_name", "specialfile", "new_root", "put_old", "library", "old", "new",
              "from_pathname", "to_pathname", "special"}
FD_NAMES = {"fd", "oldfd", "newfd", "fildes", "epfd", "fd_in", "fd_out", "fdin", "fdout", "in_fd",
            "out_fd", "ufd", "pidfd", "ruleset_fd", "group_fd", "mfd"}
DIRFD_NAMES = {"dfd", "dirfd", "olddfd", "newdfd", "from_dfd", "to_dfd"}
LONG_TYPES = {"long", "size_t", "ssize_t", "loff_t", "off_t", "u64", "__u64", "aio_context_t",
              "__kernel_ulong_t", "uintptr_t"}
UNSIGNED_TYPES = {"size_t", "u64", "__u64", "u32", "__u32", "aio_context_t", "uid_t", "gid_t",
                  "qid_t", "umode_t"}


class Param:
    """One parameter: its name and what its type and name alone say about it."""

    def __init__(self, ctype, name):
        self.name = name
        self.direction = ""
        words = ctype.replace("*", " * ").split()
        pointer = "*" in words
        self.width = 64 if pointer or LONG_TYPES & set(words) else 32
        self.signed = not pointer and not (UNSIGNED_TYPES & set(words) or "unsigned" in words)
        if pointer:
            self.kind = "addr"
            if "const" in words and "char" in words and words.count("*") == 1:
                self.kind = "path" if name in PATH_NAMES else "addr"
                self.direction = "<" if name in PATH_NAMES else ""
            elif "char" in words and name in PATH_NAMES and words.count("*") == 1:
                self.kind, self.direction = "path", "<"
        elif name in DIRFD_NAMES:
            self.kind = "dirfd"
        elif name in FD_NAMES or name.endswith("_fd"):
            self.kind = "fd"
        elif "umode_t" in words:
            self.kind = "mode"
        elif "flags" in name or name == "flag":
            self.kind = "hex"
        elif self.width == 64:
            self.kind = "long" if self.signed else "ulong"
        else:
            self.kind = "int" if self.signed else "uint"


class Prototypes:
    def __init__(self, headers):
        self._by_name = {}
        for header in headers:
            with open(header, encoding="utf-8") as text:
                source = re.sub(r"/\*.*?\*/", "", text.read(), flags=re.S)
            for name, params in PROTOTYPE.findall(source):
                # A call may be declared once per calling convention; the last is the common one.
                self._by_name[name] = params

    def lookup(self, kernel_names):
        for name in kernel_names:
            if name in self._by_name:
                return self._by_name[name]
        return None


class Call:
    def __init__(self, name, params, noreturn, abi32):
        self.name, self.noreturn, self.abi32 = name, noreturn, abi32
        self._params = params
        self.spec_name = name

    def params(self, given_names):
        """Parameters, with `given_names` where the header leaves them unnamed."""
        parsed = []
        text = "" if self._params is None else " ".join(self._params.split())
        # () in the spec: what the prototype names is no argument of the program's.
        pieces = [] if text in ("", "void") or given_names == [] else text.split(",")
        if self._params is None and given_names:
            pieces = ["unsigned long"] * len(given_names)
        for index, piece in enumerate(pieces[:6]):
            piece = piece.replace("__user", "").strip()
            match = re.match(r"(.*[\s*])(\w+)$", piece)
            bare = {"int", "long", "char", "short", "unsigned"}
            name = f"arg{index}"
            ctype = piece
            if match and match.group(2) not in bare and not match.group(2).endswith("_t") \
                    and not re.fullmatch(r"(const )?struct ", match.group(1)):
                ctype, name = match.group(1), match.group(2)
            if given_names and index < len(given_names):
                name = given_names[index]
            parsed.append(Param(ctype, name))
        return parsed


def call_numbers(generated, bits, prototypes):
    """number -> Call for the ABI whose generated headers end in `bits`."""
    functions = {}
    with open(f"{generated}/asm/syscalls_{bits}.h", encoding="ascii") as text:
        for flavour, number, function, compat in ENTRY.findall(text.read()):
            functions[int(number)] = (flavour, function, compat)
    calls = {}
    with open(f"{generated}/uapi/asm/unistd_{bits}.h", encoding="ascii") as text:
        for name, number in NUMBER.findall(text.read()):
            if name == "syscalls":  # how many there are
                continue
            flavour, function, compat = functions.get(int(number), ("", f"sys_{name}", ""))
            kernel_names = [f.split("sys_", 1)[1] for f in (function, compat) if "sys_" in f] + [name]
            calls[int(number)] = Call(name, prototypes.lookup(kernel_names),
                                      "NORETURN" in flavour, bits == "32")
    return calls
