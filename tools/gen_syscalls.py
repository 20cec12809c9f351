#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the syscall tables from the kernel's headers and userspace/libutrace/decode/syscalls.spec.

usage: gen_syscalls.py --headers SRC_DIR --spec FILE --out DIR [--cc COMPILER]
SRC_DIR holds the unpacked packages linux-headers-*-common and linux-headers-*-amd64.
Writes DIR/syscall_ids_gen.h and DIR/syscall_tables_gen.cc.
"""

import argparse
import glob
import os
import re
import sys

from kernel_constants import HeaderError, KernelConstants
from syscall_prototypes import Prototypes, call_numbers

# Scalar kinds; must agree with enum ArgKind in syscall_table.h, where each is explained.
KINDS = ("int", "uint", "long", "ulong", "hex", "addr", "fd", "dirfd", "mode", "dev", "signal",
         "octal", "offset", "string", "path", "buffer", "argv")
RESTARTS = {  # what strace's readers know these four by; their numbers come from linux/errno.h
    "ERESTARTSYS": "To be restarted if SA_RESTART is set",
    "ERESTARTNOINTR": "To be restarted",
    "ERESTARTNOHAND": "To be restarted if no handler",
    "ERESTART_RESTARTBLOCK": "Interrupted by signal",
}
ARGUMENT = re.compile(r"(\w+)=(\w+)(<>|<|>|)(?:\[(@?\w+)\])?$")


class SpecError(Exception):
    pass


class ConstantSet:
    def __init__(self, words, kind):
        head, _, body = words.partition(" : ")
        self.name, *self.headers = head.split()
        self.is_enum = kind == "enum"
        self.mask, self.last, self.only_ioctl = None, [], False
        self.wanted, self.unwanted = [], []
        for word in body.split():
            if word.startswith("mask="):
                self.mask = word[5:]
            elif word.startswith("last="):
                self.last = word[5:].split(",")
            elif word == "ioctl":
                self.only_ioctl = True
            elif word.startswith("!"):
                self.unwanted.append(re.compile(word[1:]))
            else:
                self.wanted.append(re.compile(word))

    def matches(self, name):
        return (any(p.fullmatch(name) for p in self.wanted)
                and not any(p.fullmatch(name) for p in self.unwanted))

    def resolve(self, constants):
        libc = [h[5:] for h in self.headers if h.startswith("libc:")]
        source = constants["libc" if libc else "kernel"]
        headers = libc or self.headers
        bodies = {}
        for header in headers:
            bodies.update(source.macros(header))
        names = [n for n, body in bodies.items() if self.matches(n)
                 and (not self.only_ioctl or re.match(r"_IO[RW]*\s*\(|0x[0-9A-Fa-f]{4}\b", body))]
        # A name that only renames another (EWOULDBLOCK is EAGAIN) is never the one to print.
        names = [n for n in names if bodies[n] == n or bodies[n] not in names]
        found = source.values(headers, names + ([self.mask] if self.mask else []))
        self.mask_value = found.pop(self.mask) if self.mask and self.mask in found else 0
        if self.mask and self.mask in bodies and self.matches(self.mask):
            found[self.mask] = self.mask_value
        if not found:
            raise SpecError(f"set {self.name}: no constant of {', '.join(headers)} matches")
        order = sorted(found.items(), key=lambda item: item[1])
        late = [(n, found[n]) for n in self.last if n in found]
        rows = [item for item in order if item not in late] + late
        seen = {}
        for name, value in rows:
            # The kernel sees 32 bits of an int flag word or an ioctl number.
            seen.setdefault(value & 0xffffffff if value >> 31 == 0x1ffffffff else value, name)
        self.rows = [(name, value) for value, name in seen.items()]


class Spec:
    def __init__(self, path):
        self.sets, self.structs, self.calls = {}, {}, {}
        with open(path, encoding="ascii") as text:
            for number, line in enumerate(text, 1):
                line = line.strip()
                if line and not line.startswith("#"):
                    try:
                        self._directive(line)
                    except (ValueError, SpecError) as error:
                        raise SpecError(f"{path}:{number}: {error}") from error

    def _directive(self, line):
        word, _, rest = line.partition(" ")
        if word in ("flags", "enum"):
            entry = ConstantSet(rest, word)
            self._must_be_new(entry.name)
            self.sets[entry.name] = entry
        elif word == "struct":
            head, ctype = rest.split(" : ")
            name, header = head.split()
            self._must_be_new(name)
            self.structs[name] = (header, ctype)
        elif word == "call":
            names, _, body = (rest + " ").partition(" : ")
            for name in names.strip().split(","):
                if name in self.calls:
                    raise SpecError(f"{name} is described twice")
                self.calls[name] = self._call(body.strip())
        else:
            raise SpecError(f"unknown directive {word}")

    def _must_be_new(self, name):
        if name in KINDS or name in self.sets or name in self.structs:
            raise SpecError(f"{name} is already the name of a kind, set or struct")

    def _call(self, body):
        entry = {"names": None, "args": {}, "ret": None, "form": None}
        given = re.match(r"\(([^)]*)\)", body)
        if given:
            entry["names"] = [n.strip() for n in given.group(1).split(",") if n.strip()]
            body = body[given.end():]
        for word in body.split():
            match = ARGUMENT.match(word)
            if not match:
                raise SpecError(f"cannot read {word}")
            name, kind, direction, length = match.groups()
            if name in ("ret", "form"):
                entry[name] = kind
            elif kind in KINDS or kind in self.sets or kind in self.structs:
                reads = kind in ("string", "path", "argv")
                entry["args"][name] = (kind, direction or ("<" if reads else ""), length)
            else:
                raise SpecError(f"{kind} is neither a kind nor a set nor a struct")
        return entry


def camel(name):
    return "k" + "".join(part.capitalize() for part in name.split("_"))


def describe_call(call, spec):
    """The ArgInfo initialisers, result kind and form of one call."""
    entry = spec.calls.get(call.spec_name, {"names": None, "args": {}, "ret": None, "form": None})
    params = call.params(entry["names"])
    names = [p.name for p in params]
    for name, (_, _, length) in () if call.abi32 else entry["args"].items():
        for word in (name, (length or "").lstrip("@")):
            if word and word != "ret" and word not in names:
                raise SpecError(f"call {call.name}: no argument {word}; it has {', '.join(names)}")
    args = []
    for param in params:
        kind, direction, length = entry["args"].get(param.name, (param.kind, param.direction, None))
        # The spec tells of the 64-bit call; a 32-bit one may lack the argument.
        if length not in (None, "ret") and length.lstrip("@") not in names:
            kind, direction, length = param.kind, param.direction, None
        ref, size = "0", "0"
        if kind in spec.sets:
            ref = f"static_cast<uint8_t>(SetId::{camel(kind)})"
            kind = "enum" if spec.sets[kind].is_enum else "flags"
        elif kind in spec.structs:
            ref, size = f"static_cast<uint8_t>(StructId::{camel(kind)})", str(spec.sizes[kind])
            kind = "array" if length else "struct"
        way = {"": "kNone", "<": "kIn", ">": "kOut", "<>": "kInOut"}[direction]
        where = "-1" if length in (None, "ret") else str(names.index(length.lstrip("@")))
        how = ("kNone" if not length else "kResult" if length == "ret"
               else "kAt" if length[0] == "@" else "kArg")
        # A struct the kernel reads is only as its 32-bit layout says in a 32-bit call.
        if call.abi32 and kind in ("struct", "array"):
            kind, way, how, where, ref, size = "addr", "kNone", "kNone", "-1", "0", "0"
        signed = "true" if param.signed else "false"
        args.append(f'{{"{param.name}", ArgKind::{camel(kind)}, {ref}, Direction::{way}, '
                    f"LengthFrom::{how}, {where}, {signed}, {param.width}, {size}}}")
    result = "kNever" if call.noreturn else camel(entry["ret"] or "long")
    return args, result, camel(entry["form"] or "plain")


def errno_rows(constants, src_common):
    uapi = constants["kernel"]
    names = {n: b for n, b in uapi.macros("asm/errno.h").items() if re.fullmatch(r"E[A-Z0-9]+", n)}
    names = {n: b for n, b in names.items() if b not in names}
    rows = {value: (name, os.strerror(value))
            for name, value in uapi.values(["asm/errno.h"], names).items()}
    with open(f"{src_common}/include/linux/errno.h", encoding="utf-8") as text:
        for name, value, comment in re.findall(
                r"#define\s+(E\w+)\s+(\d+)[ \t]*(?:/\*\s*(.*?)\s*\*/)?", text.read()):
            rows.setdefault(int(value), (name, RESTARTS.get(name, comment or name)))
    return sorted(rows.items())


def emit_ids(spec, forms):
    def enum(name, members):
        body = "".join(f"  {m},\n" for m in members)
        return f"enum class {name} : uint8_t {{\n{body}}};\n"
    return ("// Made by tools/gen_syscalls.py from syscalls.spec. SPDX-License-Identifier: Apache-2.0\n"
            "#pragma once\n#include <cstdint>\n\nnamespace utrace {\n\n"
            + enum("SetId", map(camel, spec.sets)) + "\n"
            + enum("StructId", map(camel, spec.structs)) + "\n"
            + enum("CallForm", forms) + "\n}  // namespace utrace\n")


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def emit_tables(spec, abis, errnos):
    out = ["// Made by tools/gen_syscalls.py. SPDX-License-Identifier: Apache-2.0\n"
           '#include "userspace/libutrace/decode/syscall_table_data.h"\n\nnamespace utrace::tables {\nnamespace {\n']
    for entry in spec.sets.values():
        out.append(f"constexpr NamedValue {camel(entry.name)}Values[] = {{\n")
        out += [f'  {{"{name}", {value}u}},\n' for name, value in entry.rows]
        out.append("};\n")
    forms = {"kPlain": None}
    for abi, calls in abis:
        out.append(f"constexpr SyscallInfo kCalls{abi}[] = {{\n")
        for number in range(max(calls) + 1):
            call = calls.get(number)
            if not call:
                out.append("  {nullptr, 0, ArgKind::kLong, CallForm::kPlain, {}},\n")
                continue
            args, result, form = describe_call(call, spec)
            forms[form] = None
            body = ",\n      ".join(args)
            out.append(f'  {{"{call.name}", {len(args)}, ArgKind::{result}, CallForm::{form},\n'
                       f"     {{{body}}}}},\n")
        out.append("};\n")
    out.append("constexpr ErrnoInfo kErrnoRows[] = {\n")
    out += [f"  {{{value}, {quote(name)}, {quote(text)}}},\n" for value, (name, text) in errnos]
    out.append("};\n")
    out.append("constexpr ValueSet kSetRows[] = {\n")
    for entry in spec.sets.values():
        out.append(f"  {{{camel(entry.name)}Values, {entry.mask_value}u}},\n")
    out.append("};\n}  // namespace\n\nconst absl::Span<const ValueSet> kSets = kSetRows;\n")
    for abi, _ in abis:
        out.append(f"const absl::Span<const SyscallInfo> k{abi} = kCalls{abi};\n")
    out.append("const absl::Span<const ErrnoInfo> kErrnos = kErrnoRows;\n\n}  // namespace utrace::tables\n")
    return "".join(out), list(forms)


def write_if_changed(path, text):
    if os.path.exists(path):
        with open(path, encoding="utf-8") as old:
            if old.read() == text:
                return
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def generate(args):
    common = sorted(glob.glob(f"{args.headers}/linux-headers-*-common"))
    flavour = sorted(glob.glob(f"{args.headers}/linux-headers-*-amd64"))
    if not common or not flavour:
        raise HeaderError(f"no unpacked linux-headers packages in {args.headers}: run tools/setup")
    common, flavour = common[-1], flavour[-1]
    os.makedirs(args.out, exist_ok=True)
    uapi = [f"{common}/arch/x86/include/uapi", f"{flavour}/arch/x86/include/generated/uapi",
            f"{common}/include/uapi", f"{flavour}/include/generated/uapi"]
    constants = {"kernel": KernelConstants(args.cc, uapi, args.out),
                 "libc": KernelConstants(args.cc, None, args.out)}
    spec = Spec(args.spec)
    for entry in spec.sets.values():
        entry.resolve(constants)
    spec.sizes = {}
    for name, (header, ctype) in spec.structs.items():
        size = constants["kernel"].values([header], [f"sizeof({ctype})"])
        if not size:
            raise SpecError(f"struct {name}: {header} has no {ctype}")
        spec.sizes[name] = size[f"sizeof({ctype})"]
    prototypes = Prototypes([f"{common}/include/linux/syscalls.h",
                             f"{common}/include/asm-generic/syscalls.h"])
    generated = f"{flavour}/arch/x86/include/generated"
    abis = [("X86_64", call_numbers(generated, "64", prototypes)),
            ("I386", call_numbers(generated, "32", prototypes))]
    known = {call.spec_name for _, calls in abis for call in calls.values()}
    for name in spec.calls:
        if name not in known:
            raise SpecError(f"call {name}: the kernel's tables have no such call")
    tables, forms = emit_tables(spec, abis, errno_rows(constants, common))
    write_if_changed(f"{args.out}/syscall_ids_gen.h", emit_ids(spec, forms))
    write_if_changed(f"{args.out}/syscall_tables_gen.cc", tables)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--headers", required=True)
    parser.add_argument("--spec", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cc", default="gcc")
    args = parser.parse_args()
    try:
        generate(args)
    except (HeaderError, SpecError, OSError) as error:
        print(f"gen_syscalls: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
