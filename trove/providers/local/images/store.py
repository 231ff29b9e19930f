# SPDX-License-Identifier: Apache-2.0
"""Find, prove and remove images.

Before this process hands out the first path into an image, the tree is compared with its manifest by the quick listing
(about 0.2 seconds for 25 000 files); :meth:`Images.verify` reads every byte. Nothing here writes into an image.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trove.providers.local.images import listing
from trove.providers.local.images import manifest as manifests
from trove.providers.local.images.manifest import ImageError, Manifest

ROOT = "rootfs"
PACKAGES = ".packages"
#: Beside the tree while it is built.
SCRATCH = "tmp"
_BUILDING = ".building-"
_REMOVING = ".removing-"


@dataclass(frozen=True)
class Entry:
    """One line of a listing: ``manifest`` is there when the image is complete, ``problem`` when it is not usable."""

    name: str
    manifest: Manifest | None
    problem: str | None = None


class Images:
    """The images below one directory; all methods may be called from several threads and processes.

    :param directory: made when it is first written to; need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(os.path.abspath(directory))
        self._lock = threading.Lock()
        self._proven: dict[str, tuple[int, int]] = {}

    def entries(self) -> list[Entry]:
        """List everything by name, what is incomplete or damaged included."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self.directory):
                if name.startswith(_BUILDING):
                    building = self.is_locked(name.removeprefix(_BUILDING))
                    why = "is being built" if building else "incomplete: build it again, or remove it"
                    found.append(Entry(name.removeprefix(_BUILDING), None, why))
                elif not name.startswith(".") and (self.directory / name).is_dir():
                    found.append(self._entry(name))
        return sorted(found, key=lambda entry: entry.name)

    def get(self, name: str) -> Manifest:
        """Return the manifest of a complete image.

        :raises ImageError: when there is none, or it is damaged.
        """
        directory = self.directory / manifests.check_name(name)
        try:
            return manifests.read(directory)
        except (FileNotFoundError, NotADirectoryError):
            state = "is not complete" if self.building(name).exists() or directory.exists() else "does not exist"
            raise ImageError(
                f"the image '{name}' {state} in {self.directory}; build it with: trove-manage image build"
            ) from None

    def root(self, name: str) -> Path:
        """Return the root file system of an image, which was compared with its manifest at least once.

        :raises ImageError: when it is not complete, or not what was built.
        """
        manifest = self.get(name)
        root = self.directory / name / ROOT
        found = os.stat(self.directory / name / manifests.FILE)
        identity = (found.st_ino, found.st_mtime_ns)
        with self._lock:
            if self._proven.get(name) != identity:
                self._compare(name, manifest, contents=False)
                self._proven[name] = identity
        return root

    def verify(self, name: str) -> None:
        """Read all of an image and compare it with its manifest.

        :raises ImageError: when it differs.
        """
        self._compare(name, self.get(name), contents=True)

    def remove(self, name: str) -> bool:
        """Delete an image, or what an interrupted build left of it; ``False`` when there is nothing.

        The caller knows that no engine runs from it.

        :raises ImageError: while it is being built, or when something is mounted in it.
        """
        manifests.check_name(name)
        if not self.directory.is_dir():
            return False
        with self.exclusive(name):
            existed = False
            target = self.directory / f"{_REMOVING}{name}"
            for directory in (self.directory / name, self.building(name), target):
                if not os.path.lexists(directory):
                    continue
                existed = True
                refuse_mounts(directory)
                if directory != target:
                    if target.exists():
                        discard(target)
                    os.rename(directory, target)  # from here on nobody takes it for an image
                discard(target)
            return existed

    def building(self, name: str) -> Path:
        """Return where the image is built."""
        return self.directory / f"{_BUILDING}{manifests.check_name(name)}"

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[int]:
        """Keep others from building or removing the image; yields a descriptor which, inherited by a program, keeps
        them away as long as that lives.

        :raises ImageError: when somebody does so already.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        descriptor = os.open(self._lock_file(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ImageError(f"the image '{name}' is being built or removed by another process") from None
            yield descriptor
        finally:
            os.close(descriptor)

    def is_locked(self, name: str) -> bool:
        """Tell whether somebody builds or removes the image at the moment."""
        try:
            descriptor = os.open(self._lock_file(name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _lock_file(self, name: str) -> Path:
        return self.directory / f".lock-{manifests.check_name(name)}"

    def _entry(self, name: str) -> Entry:
        try:
            return Entry(name, manifests.read(self.directory / name))
        except FileNotFoundError:
            return Entry(name, None, "is not an image: it has no manifest")
        except (ImageError, OSError) as err:
            return Entry(name, None, str(err))

    def _compare(self, name: str, manifest: Manifest, *, contents: bool) -> None:
        try:
            found = listing.compute(self.directory / name / ROOT, contents=contents)
        except OSError as err:
            raise ImageError(f"the image '{name}' cannot be read: {err}") from err
        if found.digest != (manifest.checksum if contents else manifest.listing):
            raise ImageError(
                f"the image '{name}' is not what was built: {found.files} files with {found.bytes} bytes, the manifest "
                f"has {manifest.files} with {manifest.bytes}. Remove it and build it again"
            )


def discard(directory: Path) -> None:
    """Delete an image or what an interrupted build left; scratch files may belong to user ids of a namespace.

    :raises ImageError: when something is mounted in it.
    """
    refuse_mounts(directory)
    scratch = directory / SCRATCH
    if os.geteuid() != 0 and scratch.exists():
        remove = ["mmdebstrap", "--unshare-helper", "rm", "-rf", "--one-file-system", str(scratch)]
        subprocess.run(remove, check=False, capture_output=True)
    shutil.rmtree(directory)


def refuse_mounts(directory: Path) -> None:
    """Refuse to touch a tree in which something is mounted: deleting would go through it, to the host's own files.

    :raises ImageError: naming the mount.
    """
    real = os.path.realpath(directory)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            # mountinfo writes blanks and the like as octal numbers, see proc(5).
            point = line.split(" ")[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
            if point == real or point.startswith(real + "/"):
                raise ImageError(f"something is mounted at {point}; unmount it first")
