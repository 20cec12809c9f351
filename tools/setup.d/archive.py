# SPDX-License-Identifier: Apache-2.0
"""A private view of the Debian archive: apt with lists and caches of its own, so that suites the system does not use
can be asked without the system being touched. Signatures are checked by apt against Debian's keyring, every package
file against the SHA256 of the signed index."""

import hashlib
import pathlib
import re
import subprocess
import time

from host import SetupError, locked, run, say

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FRESH_SECONDS = 12 * 3600


def mirrors():
    """The system's own mirror of the archive and, if it has one, of the security archive."""
    try:
        text = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"asking apt for the system's package sources failed ({error}): check /etc/apt") from error
    found = {}
    for line in text.splitlines():
        uri, _, release = line.rpartition(" ")
        if not re.match(r"(https?|mirror\+https?|tor\+https?|file):", uri):
            continue
        if release.endswith("-security"):
            found.setdefault("security", uri)
        elif re.search(r"/debian/?$", uri):
            found.setdefault("main", uri)
    if "main" not in found:
        raise SetupError("the system's apt sources name no Debian archive: put one into /etc/apt/sources.list.d/, "
                         "run 'apt-get update', then this again")
    return found


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


class Archive:
    """Packages of the given suites. The lists are shared by all suites and fetched at most twice a day."""

    def __init__(self, cache, suites):
        self.cache_ = cache
        self.dir = cache / "apt"
        self.debs = cache / "debs"
        self.suites = list(suites)
        for path in (self.dir / "lists" / "partial", self.dir / "cache" / "archives" / "partial", self.debs):
            path.mkdir(parents=True, exist_ok=True)
        self.mirrors_ = mirrors()
        self.known_ = {}
        with locked(cache, "apt"):
            self.have_ = [suite for suite in self.suites if self.update_(suite)]

    def source_line_(self, suite):
        kind = "security" if suite.endswith("-security") else "main"
        if kind not in self.mirrors_:
            return None
        return f"deb [arch=amd64 signed-by={KEYRING}] {self.mirrors_[kind]} {suite} main\n"

    def source_list(self, suites=None):
        """A sources.list of these suites."""
        suites = self.have_ if suites is None else suites
        # mmdebstrap puts this under sources.list.d, where apt overlooks names with other characters.
        path = self.dir / ("_".join(suites) + ".list")
        path.write_text("".join(self.source_line_(suite) for suite in suites))
        return path

    def apt_(self, tool, suites=None):
        return [tool, "-q",
                "-o", f"Dir::Etc::sourcelist={self.source_list(suites)}", "-o", "Dir::Etc::sourceparts=-",
                "-o", f"Dir::State::lists={self.dir}/lists", "-o", "Dir::State::status=/dev/null",
                "-o", f"Dir::Cache={self.dir}/cache", "-o", "APT::Get::List-Cleanup=false",
                "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Acquire::Retries=3",
                "-o", "APT::Update::Error-Mode=any", "-o", "APT::Architectures=amd64"]

    def update_(self, suite, force=False):
        """Fetches the suite's index. Returns whether there is one; point and security suites may be missing."""
        if self.source_line_(suite) is None:
            return False
        stamp = self.dir / f"{suite}.stamp"
        if not force and stamp.exists() and time.time() - stamp.stat().st_mtime < FRESH_SECONDS:
            return True
        done = subprocess.run(self.apt_("apt-get", [suite]) + ["update"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            stamp.touch()
            return True
        if stamp.exists():
            age = time.strftime("%Y-%m-%d", time.localtime(stamp.stat().st_mtime))
            say(f"the archive cannot be asked for {suite} now; going on with its index of {age}")
            return True
        if suite.endswith(("-security", "-updates")):
            return False
        reason = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:"))]
        raise SetupError(f"fetching the index of {suite}: {_without_hosts(reason[0]) if reason else 'apt failed'}: "
                         "check the network (and the proxy apt uses), then run this again")

    def look_up(self, packages):
        """Asks apt for all of these at once: a question costs a second, however many packages are in it."""
        unknown = [package for package in packages if package not in self.known_]
        if not unknown:
            return
        done = subprocess.run(self.apt_("apt-cache") + ["show", "--no-all-versions", *unknown],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.known_.update(dict.fromkeys(unknown))
        for stanza in done.stdout.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if re.match(r"[\w-]+: ", line))
            if fields:
                self.known_[fields["Package"]] = fields

    def show(self, package):
        """The fields of the newest version of a package, or None."""
        self.look_up([package])
        return self.known_[package]

    def need(self, package):
        fields = self.show(package)
        if fields is None:
            raise SetupError(f"no package {package} in {' '.join(self.have_)}: the archive may have moved on; "
                             "look at the suites in vm/kernels/ and tools/setup.d/")
        return fields

    def fetch(self, package):
        """The package's file, from the cache if its digest is still the index's."""
        fields = self.need(package)
        path = self.debs / pathlib.Path(fields["Filename"]).name
        with locked(self.cache_, "apt"):
            return self.fetch_(package, fields, path)

    def fetch_(self, package, fields, path):
        if path.exists() and digest(path) == fields["SHA256"]:
            return path
        path.unlink(missing_ok=True)
        try:
            self.download_(fields, path)
        except SetupError:
            # The archive keeps one version: an index of this morning may name a file that is gone.
            for suite in self.have_:
                self.update_(suite, force=True)
            self.known_.clear()
            fields = self.need(package)
            path = self.debs / pathlib.Path(fields["Filename"]).name
            self.download_(fields, path)
        if digest(path) != fields["SHA256"]:
            path.unlink()
            raise SetupError(f"{package} {fields['Version']} does not have the digest of the signed index: "
                             "it is thrown away; run this again, and look at the mirror if it stays so")
        return path

    def download_(self, fields, path):
        partial = self.debs / "partial"
        partial.mkdir(exist_ok=True)
        run(self.apt_("apt-get") + ["download", f"{fields['Package']}={fields['Version']}"],
            f"fetching {fields['Package']} {fields['Version']}", "check the network, then run this again", cwd=partial)
        epochless = fields["Version"].replace(":", "%3a")
        (partial / f"{fields['Package']}_{epochless}_{fields['Architecture']}.deb").rename(path)

    def unpack(self, package, into):
        """Unpacks a package's files below `into`; returns its version."""
        path = self.fetch(package)
        into.mkdir(parents=True, exist_ok=True)
        run(["dpkg-deb", "-x", path, into], f"unpacking {path.name} into {into}", "is the disk full?")
        return self.show(package)["Version"]


def _without_hosts(text):
    return re.sub(r"(\w+)://[^/\s]+", r"\1://...", text)
