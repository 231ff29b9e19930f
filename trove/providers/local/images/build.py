# SPDX-License-Identifier: Apache-2.0
"""Make an image with mmdebstrap: packages of a Debian suite, from the host's own mirror, signatures verified.

A build may be interrupted at any point and run again: what was downloaded is kept, the half-made tree is thrown away.
Nobody uses it meanwhile, because it appears under its name by a rename after its manifest was written. Everything
happens below the image directory. As root the tree is made in place; anybody else needs user namespaces with a range of
user ids (:func:`choose_mode` says what is missing), and gets a tree in which every file is their own.
"""

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trove.common import clock
from trove.providers.local.images import apt, listing, mmdebstrap
from trove.providers.local.images import manifest as manifests
from trove.providers.local.images.manifest import Engine, ImageError, Manifest
from trove.providers.local.images.store import PACKAGES, ROOT, Images, discard, refuse_mounts

#: What must be free before a build: a tree with several engines has 0.9 GiB, its packages 0.2.
FREE_BYTES = 2 * 1024**3

_SUITE = re.compile(r"[a-z][a-z0-9.-]{0,63}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+~:-]+)?")
_MIRROR = re.compile(r"(https?|file|copy)://?[^\s\[\]]+")
_ARCHIVES = "var/cache/apt/archives"
_RUBBISH = (
    f"{_ARCHIVES}/*.deb",
    "etc/apt/apt.conf.d/*mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/*mmdebstrap",
    "etc/ssl/private/*.key",
    "etc/ssh/ssh_host_*",
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is to be built.

    :ivar mirrors: addresses of archives that carry the suite; none: as the host is configured.
    :ivar allow_expired: accept a signed index although its validity has ended. The signature proves who made it, not
        that it is the newest: an attacker could hold back security updates. For tests.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    allow_expired: bool = False

    def check(self) -> None:
        """Refuse what could be taken for an option or another field.

        :raises ImageError: naming it.
        """
        manifests.check_name(self.name)
        checks: tuple[tuple[str, re.Pattern[str], Sequence[str]], ...] = (
            ("suite", _SUITE, (self.suite,)),
            ("package", _PACKAGE, self.packages),
            ("mirror", _MIRROR, self.mirrors),
        )
        for what, pattern, values in checks:
            for value in values:
                if not pattern.fullmatch(value):
                    raise ImageError(f"'{apt.without_credentials(value)}' is not the name of a {what}")
        if not self.packages:
            raise ImageError("name at least one package, for example --packages postgresql-17")

    def sources(self) -> list[str]:
        """Return the lines of sources.list(5).

        :raises ImageError: when the host's configuration names no mirror, or one with a password.
        """
        if self.mirrors:
            lines = [apt.source_line(mirror, self.suite) for mirror in self.mirrors]
        else:
            lines = apt.sources(self.suite, apt.host_codename(), apt.host_archives())
        for line in lines:
            if apt.without_credentials(line) != line:
                raise ImageError(
                    f"'{apt.without_credentials(line)}' has a password in its address, which would be seen in the "
                    "process list and stay in the image; name a mirror without one"
                )
        return lines


class Builder:
    """Builds images.

    :param detect: finds the engines in a root file system.
    :param say: told what is being done, one line at a time.
    """

    def __init__(self, images: Images, detect: Callable[[Path], Iterable[Engine]], say: Say) -> None:
        self._images = images
        self._detect = detect
        self._say = say

    def build(self, request: Request) -> Manifest:
        """Build the image, unless it was built from the same suite and packages already.

        :raises ImageError: when it cannot be built; the text says why and what to do.
        """
        request.check()
        with self._images.exclusive(request.name) as lock:
            present = self._present(request)
            if present is not None:
                self._say(f"the image '{request.name}' was built on {present.built_at}; nothing to do")
                return present
            began = clock.monotonic()
            mode = mmdebstrap.choose_mode()
            sources = request.sources()
            directory = self._make_room(request.name)
            for line in sources:
                self._say(f"packages come from: {line}")
            run = mmdebstrap.Run(directory, self._packages_dir(), mode, lock, self._say)
            try:
                run.make(request.suite, sources, request.packages, allow_expired=request.allow_expired)
            finally:
                kept = self._keep_packages(directory)
                if kept:
                    self._say(f"kept {kept} downloaded packages in {self._packages_dir()}")
            manifest = self._complete(request, sources, directory)
            self._say(
                f"the image '{request.name}' is complete after {clock.monotonic() - began:.0f} seconds: "
                f"{manifest.files} files, {manifest.bytes / 2**20:.0f} MiB"
            )
            return manifest

    def _present(self, request: Request) -> Manifest | None:
        if not (self._images.directory / request.name).exists():
            return None
        present = self._images.get(request.name)
        if (present.suite, set(present.packages)) != (request.suite, set(request.packages)):
            raise ImageError(
                f"there is an image '{request.name}' with another suite or packages, and images do not change: choose "
                "another name, or remove it"
            )
        return present

    def _make_room(self, name: str) -> Path:
        directory = self._images.building(name)
        if directory.exists():
            self._say(f"an earlier build of '{name}' was interrupted; starting again with the packages it downloaded")
            refuse_mounts(directory)
            self._keep_packages(directory)
            discard(directory)
        free = shutil.disk_usage(self._images.directory).free
        if free < FREE_BYTES:
            raise ImageError(
                f"{self._images.directory} has {free / 2**30:.1f} GiB free and a build needs {FREE_BYTES / 2**30:.0f}; "
                "free some, or set [local] image_dir to a larger file system"
            )
        self._packages_dir().mkdir(exist_ok=True, mode=0o755)
        directory.mkdir(mode=0o755)
        return directory

    def _packages_dir(self) -> Path:
        return self._images.directory / PACKAGES

    def _keep_packages(self, directory: Path) -> int:
        """Move complete downloads (apt moves them in place when their checksum is right) to where the next build finds
        them."""
        kept = 0
        for archive in directory.glob(f"**/{_ARCHIVES}/*.deb"):
            target = self._packages_dir() / archive.name
            with contextlib.suppress(OSError):
                if target.exists() and target.stat().st_size == archive.stat().st_size:
                    continue
                partial = target.with_name(f".{target.name}.{os.getpid()}")
                shutil.copyfile(archive, partial)
                os.replace(partial, target)
                kept += 1
        return kept

    def _complete(self, request: Request, sources: Sequence[str], directory: Path) -> Manifest:
        root = directory / ROOT
        self._say("cleaning up: package archives, device nodes, setuid bits")
        clean(root)
        engines = tuple(sorted(self._detect(root), key=lambda engine: (engine.manager, engine.version)))
        for engine in engines:
            self._say(f"found {engine.manager} {engine.version} in {engine.home}")
        if not engines:
            self._say("no installed datastore plugin knows an engine in this image")
        self._say("computing the checksum")
        full, quick = listing.compute(root, contents=True), listing.compute(root, contents=False)
        manifest = Manifest(
            name=request.name,
            suite=request.suite,
            architecture=apt.architecture(),
            sources=tuple(sources),
            packages=request.packages,
            installed=apt.installed(root),
            engines=engines,
            checksum=full.digest,
            listing=quick.digest,
            files=full.files,
            bytes=full.bytes,
            freshness_checked=not request.allow_expired,
            built_at=clock.isoformat(clock.utcnow()),
            builder=mmdebstrap.version(),
        )
        # All of it must be on disk before anything says that it is complete.
        os.sync()
        manifests.write(directory, manifest)
        os.rename(directory, self._images.directory / request.name)
        return manifest


def clean(root: Path) -> None:
    """Take out what an image needs no more: package archives and indexes, apt's build configuration, device nodes,
    private keys that were made during the installation.

    Then make the rest public, for it is: engines run under several accounts, and anybody must be able to prove an
    image. Setuid bits go: they would be old programs with root's rights for every user of this host.
    """
    for pattern in _RUBBISH:
        for path in root.glob(pattern):
            path.unlink()
    for folder, mode in (("dev", 0o755), ("run", 0o755), ("tmp", 0o1777)):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir()
        (root / folder).chmod(mode)
    # From the top, so that a directory can be entered when its turn comes.
    for directory, folders, files in os.walk(root):
        for name in (*folders, *files):
            entry = os.path.join(directory, name)
            mode = os.lstat(entry).st_mode
            if stat.S_ISDIR(mode):
                os.chmod(entry, stat.S_IMODE(mode) | 0o755)  # noqa: S103 - that is the point
            elif stat.S_ISREG(mode):
                public = 0o555 if mode & stat.S_IXUSR else 0o444
                os.chmod(entry, stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID) | public)
