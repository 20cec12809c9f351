# SPDX-License-Identifier: Apache-2.0
"""The patches beside this file, and whether each still fits: the sources, the compiler, and the tests' names."""

import concurrent.futures
import fnmatch
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

# Of a command that failed; a compiler's goes on for pages.
COMMAND_SHOWN = 200
HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
sys.path[:0] = [str(CHECKOUT / "vm"), str(CHECKOUT / "vm" / "guest")]

from build_module import beside_compiler  # noqa: E402
from run_tests import list_tests  # noqa: E402


class MutationError(Exception):
    pass


def call(argv, what, **more):
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        raise MutationError(f"{what} failed ('{' '.join(map(str, argv))[:COMMAND_SHOWN]}'):\n{done.stdout[-3000:]}")


def apply_patch(path, folder):
    # Not as a part of the checkout that the folder lies in.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    call(["git", "apply", path], f"applying {path.name}", cwd=folder, env=environment)


class Mutation:
    """A patch that says in its head which tests have to fail: "Fails: FILTER"."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        head, self.diff = path.read_text().split("diff --git", 1)
        filters = [line.removeprefix("Fails:").strip() for line in head.splitlines() if line.startswith("Fails:")]
        if len(filters) != 1 or not filters[0]:
            raise MutationError(f"{path.name} has to say once which tests must fail: one line 'Fails: FILTER'")
        self.filter = filters[0]

    def is_for(self, test):
        return any(fnmatch.fnmatchcase(test, pattern) for pattern in self.filter.split(":"))

    def files(self):
        return re.findall(r"^\+\+\+ b/(\S+)", self.diff, re.MULTILINE)


class Compiler:
    """Compiles the sources of a mutation by the commands that kbuild used for the module in `tree`."""

    def __init__(self, kernel, tree):
        self.kernel, self.tree = kernel, tree
        self.made = {}
        for path in sorted((tree / "kmod").rglob(".*.o.cmd")):
            text = path.read_text()
            source = re.search(r"^source_\S+ := (\S+)", text, re.MULTILINE)
            if source and pathlib.Path(source.group(1)).is_relative_to(tree):
                self.made[pathlib.Path(source.group(1)).relative_to(tree)] = text

    def source_for(self, name):
        """A header is compiled with the first source that includes it."""
        path = pathlib.Path(name)
        for source, text in self.made.items():
            if source == path or path.suffix == ".h" and f"/{path.name} \\\n" in text:
                return source
        raise MutationError(f"no part of the module is made of {name}")

    def check(self, name, folder):
        """Sees whether that file compiles as it is in `folder`."""
        source = self.source_for(name)
        command = re.search(r" :=\s*(.*?) -c -o ", self.made[source]).group(1).replace(str(self.tree), str(folder))
        argv = [word for word in shlex.split(command) if not word.startswith("-Wp,-MMD")]
        argv = ["env", f"--chdir={self.kernel.headers.resolve()}", *argv, "-fsyntax-only", str(folder / source)]
        call(beside_compiler(self.kernel, folder, argv), f"compiling {source}")


def look(mutation, names, compiler, folder):
    """Why the mutation does not fit any more, or None.  A copy of the module's sources is made in `folder`."""
    try:
        for pattern in mutation.filter.split(":"):
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                raise MutationError(f"no test is called '{pattern}', which it says must fail")
        for name in ("kmod", "include"):
            shutil.copytree(CHECKOUT / name, folder / name, dirs_exist_ok=True)
        apply_patch(mutation.path, folder)
        for name in mutation.files():
            compiler.check(name, folder)
    except MutationError as error:
        return f"{mutation.path.name}: {error}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


def misfits(mutations, tests, compiler, folder):
    """A text for each of them that does not fit any more.  `tests` holds the test programs."""
    names = [name for program in sorted(tests.iterdir()) for name in list_tests(str(program), "*")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        looked = pool.map(lambda mutation: look(mutation, names, compiler, folder / mutation.name), mutations)
        return [text for text in looked if text]
