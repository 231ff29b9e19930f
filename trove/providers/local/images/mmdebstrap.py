# SPDX-License-Identifier: Apache-2.0
"""Run mmdebstrap: choose how, watch it, turn its output into progress, end it with us.

Its whole output goes to ``build.log`` beside the tree, so that a failure can be looked into. What mmdebstrap guarantees
is in its manual: packages are verified by apt, maintainer scripts run in a mount namespace of their own, no service is
started.
"""

import getpass
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trove.providers.local.images import apt
from trove.providers.local.images.manifest import ImageError
from trove.providers.local.images.store import ROOT, SCRATCH

LOG = "build.log"
#: How many user ids an unprivileged build needs: Debian's own go up to 65534.
_IDS = 65536
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
#: No service is started, neither during the build nor by anything that runs in the image later.
_POLICY = r"""mkdir -p "$1/usr/sbin" && printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" """
_POLICY += r"""&& chmod 755 "$1/usr/sbin/policy-rc.d" """
#: The packages of earlier tries; apt compares each with the signed index before it uses one.
_PACKAGES = r"""mkdir -p "$1/var/cache/apt/archives" && find "$TROVE_PACKAGES" -name '[!.]*.deb' -exec """
_PACKAGES += r"""cp -t "$1/var/cache/apt/archives" {} +"""
_TAIL = 12


def version() -> str:
    """Return name and version of the tool.

    :raises ImageError: when it is not installed.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        raise ImageError("mmdebstrap is not installed: apt install mmdebstrap")
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()


def choose_mode() -> str:
    """Return how mmdebstrap can work for this user: ``root`` or ``unshare``.

    :raises ImageError: when it cannot; the text names everything that is missing.
    """
    version()
    if os.geteuid() == 0:
        return "root"
    user = getpass.getuser()
    missing = [f"{program} (package uidmap)" for program in ("newuidmap", "newgidmap") if not shutil.which(program)]
    missing += [
        f"a range of {_IDS} ids for {user} in {file}"
        for file in ("/etc/subuid", "/etc/subgid")
        if not has_range(Path(file), user, os.getuid())
    ]
    if subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode != 0:
        missing.append("user namespaces for ordinary users (sysctl kernel.unprivileged_userns_clone, AppArmor)")
    if missing:
        raise ImageError(f"building an image as an ordinary user needs {', '.join(missing)}; or build it as root")
    return "unshare"


def has_range(file: Path, user: str, uid: int) -> bool:
    """Tell whether subuid(5) ``file`` gives the user enough ids."""
    try:
        lines = [line.split(":") for line in file.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return False
    return any(
        len(line) == 3 and line[0] in (user, str(uid)) and line[2].isdigit() and int(line[2]) >= _IDS for line in lines
    )


@dataclass(frozen=True)
class Run:
    """One run.

    :ivar directory: where the tree (``rootfs``), the log and scratch files go; empty.
    :ivar packages_dir: packages that need not be downloaded again.
    :ivar lock: a descriptor that the programs inherit, so that it is locked until the last of them has ended.
    """

    directory: Path
    packages_dir: Path
    mode: str
    lock: int
    say: Callable[[str], None]

    def make(self, suite: str, sources: Sequence[str], packages: Sequence[str], *, allow_expired: bool) -> None:
        """Make the tree.

        :raises ImageError: with the last lines of the output.
        """
        (self.directory / SCRATCH).mkdir(mode=0o755)
        root = self.directory / ROOT
        argv = ["mmdebstrap", f"--mode={self.mode}", "--variant=minbase", "--verbose"]
        argv += ["--skip=check/empty,essential/unlink,cleanup/apt/cache", f"--include={','.join(packages)}"]
        argv += [f"--setup-hook={_POLICY}", f"--setup-hook={_PACKAGES}"]
        if allow_expired:
            argv.append('--aptopt=Acquire::Check-Valid-Until "false"')
        if self.mode == "root":
            self._watch([[*argv, "--format=directory", suite, str(root), *sources]])
        else:
            root.mkdir(mode=0o755)
            unpack = ["tar", "--extract", "--no-same-owner", "--exclude=./dev/*", f"--directory={root}"]
            self._watch([[*argv, "--format=tar", suite, "-", *sources], unpack])
        root.chmod(0o755)
        # What it left there belongs to nobody any more.
        shutil.rmtree(self.directory / SCRATCH, ignore_errors=True)

    def _watch(self, pipeline: Sequence[Sequence[str]]) -> None:
        """Run one program, or two of which the second reads what the first writes; report progress."""
        environment = {**_ENVIRONMENT, **_inherited(), **apt.proxies()}
        environment["TMPDIR"] = str(self.directory / SCRATCH)
        environment["TROVE_PACKAGES"] = str(self.packages_dir)
        piped = len(pipeline) > 1
        tail: deque[str] = deque(maxlen=_TAIL)
        progress = Progress()
        with open(self.directory / LOG, "a", encoding="utf-8") as log:
            first = subprocess.Popen(
                _ended_with_us(pipeline[0]),
                env=environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=subprocess.PIPE,
                pass_fds=(self.lock,),
                text=True,
                errors="replace",
            )
            second = subprocess.Popen(pipeline[1], stdin=first.stdout, stdout=log, stderr=log) if piped else None
            if first.stdout is not None:
                first.stdout.close()  # ours: so that the first one notices when the second one ends
            try:
                if first.stderr is not None:
                    for line in first.stderr:
                        log.write(line)
                        tail.append(line.rstrip())
                        for said in progress.see(line):
                            self.say(said)
            except BaseException:
                first.terminate()
                raise
            finally:
                statuses = [child.wait() for child in (first, second) if child is not None]
        if any(statuses):
            raise ImageError(
                f"mmdebstrap ended with status {statuses[0]}; all of its output is in {self.directory / LOG}, and it "
                "ended with:\n  " + "\n  ".join(tail)
            )


class Progress:
    """Turns the output of apt and dpkg into few lines for people. apt runs twice, for the base and for the rest."""

    _TOTAL = re.compile(r"(?<!\d)(\d+) newly installed")
    _NEED = re.compile(r"Need to get (.{1,40}) of archives")
    _STEPS = (
        (re.compile(r"^Get:\d+ .* \[[\d.,]+ [kM]?B\]$"), "downloaded"),
        (re.compile(r"Unpacking "), "unpacked"),
        (re.compile(r"Setting up "), "set up"),
    )

    def __init__(self) -> None:
        self._total = 0
        self._counts: dict[str, int] = {}
        self._indexes = True  # what apt gets before it has counted packages

    def see(self, line: str) -> Iterator[str]:
        """Take one line of output; yield what is worth saying about it."""
        line = line.strip()
        if line.startswith("I: "):
            if "-hook in shell" not in line and "as requested" not in line:
                yield line[3:].rstrip(".")
        elif found := self._TOTAL.search(line):
            self._total, self._counts, self._indexes = int(found.group(1)), {}, False
        elif found := self._NEED.search(line):
            yield f"{self._total} packages, {found.group(1)} to download"
        elif not self._indexes:
            yield from self._count(line)

    def _count(self, line: str) -> Iterator[str]:
        for pattern, what in self._STEPS:
            if pattern.match(line):
                count = self._counts[what] = self._counts.get(what, 0) + 1
                step = max(1, self._total // 4)
                if count % step == 0 or count == self._total:
                    yield f"{what} {count} of {self._total} packages"


def _ended_with_us(argv: Sequence[str]) -> list[str]:
    """Have the kernel end the program when we are killed: mmdebstrap then cleans up after itself."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else list(argv)


def _inherited() -> dict[str, str]:
    """Return what of our environment a download needs."""
    names = ("http_proxy", "https_proxy", "no_proxy", "USER", "HOME")
    return {name: os.environ[name] for name in names if name in os.environ}
