# SPDX-License-Identifier: Apache-2.0
"""Run the engine inside the root file system of an image, with bubblewrap and without any privilege.

:class:`BubblewrapProcess` implements :class:`trove.datastores.spi.EngineProcess`. The engine sees the image read-only,
and the instance's own directories at the same paths as everybody else, so every path that a handler writes into a
configuration file or command line is right on both sides. Devices and ``/run`` are private and empty.

Three things are shared on purpose:

* network and process numbers: a pid in a pid file is the pid that the agent signals;
* System V memory: PostgreSQL recognises by it that backends of a killed server still write to the data directory. In
  an IPC namespace of its own, the next server would not see them and destroy the data;
* the temporary directory, where handlers put a socket whose path would be too long elsewhere.

bubblewrap stays as the parent of the engine, only to reap it (0.5 MiB). Both carry the instance's mark and neither
ends with the agent. The root is put together from binds of what lies in the image, because a place for the
instance's directories cannot be made in a tree that is read-only.
"""

import contextlib
import json
import os
import pwd
import select
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from trove.common import clock
from trove.datastores import rootfs
from trove.datastores.enginelib import files
from trove.guestagent.system import process

PROGRAM = "bwrap"
#: Made new in every sandbox, so nothing of the image is shown there.
_OWN = frozenset({"/dev", "/proc", "/sys", "/run", "/tmp"})
#: The machine's own, over those of the image where it has them: they belong to the network, which is shared.
_HOST_FILES = ("/etc/hosts", "/etc/resolv.conf")
#: Seconds bubblewrap may take until it says which process it has made; 0.01 is usual.
_SETTLE = 20.0


class BubblewrapProcess(process.ChildProcess):
    """Programs of an image as children of the agent. All methods may be called from several threads.

    :param root: the image's root file system.
    :param writable: directories shown with write access; one that is not there when a program starts is left out.
    :param private_dir: where a small file of this class may be kept; among the directories of ``writable``.
    """

    def __init__(self, root: Path, writable: Iterable[Path], private_dir: Path) -> None:
        super().__init__()
        self._root = root
        self._writable = outermost([*writable, Path(tempfile.gettempdir())])
        self._private_dir = private_dir

    def start(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> int:
        """See :meth:`trove.guestagent.system.process.ChildProcess.start`.

        :returns: the engine's own pid, not bubblewrap's.
        """
        self.reap()
        command = self._command(argv)
        split = command.index("--")
        reader, writer = os.pipe()
        try:
            # The options through a descriptor: whoever lists processes sees the engine's command line, not fifty paths.
            with _in_memory([*command[1:split], "--chdir", str(cwd)]) as options:
                short = [command[0], "--args", str(options), "--info-fd", str(writer), *command[split:]]
                monitor = self._spawn(argv, short, env=env, log=log, cwd=cwd, pass_fds=(writer, options))
            os.close(writer)
            writer = -1
            pid = _read_pid(reader)
        finally:
            for descriptor in (reader, writer):
                if descriptor >= 0:
                    os.close(descriptor)
        if pid is None:
            monitor.kill()
            monitor.wait()
            raise process.failure(argv, "cannot be run in its image; its log holds what bubblewrap says")
        self._adopt(pid, monitor)
        return pid

    def _command(self, argv: Sequence[str]) -> list[str]:
        program = Path(argv[0])
        if program.is_absolute() and not os.path.exists(rootfs.on_host(program, self._root)):
            raise process.failure(argv, "is not in the image of this datastore version")
        bubblewrap = shutil.which(PROGRAM)
        if bubblewrap is None:
            raise process.failure(argv, "cannot be run in its image: bubblewrap is not installed on this host")
        return [bubblewrap, *arguments(self._root, self._writable), *self._account(), "--", *argv]

    def _account(self) -> list[str]:
        """Show a password file that has the engine's account: PostgreSQL's initdb, for one, refuses to run without a
        name."""
        listed = rootfs.on_host(Path("/etc/passwd"), self._root)
        try:
            known = listed.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        uid = os.geteuid()
        if any(line.split(":")[2:3] == [str(uid)] for line in known.splitlines()):
            return []
        name = next((entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == uid), f"uid{uid}")
        if any(line.split(":")[0] == name for line in known.splitlines()):
            name = f"uid{uid}"
        with_account = self._private_dir / "image-passwd"
        text = f"{known.rstrip()}\n{name}:x:{uid}:{os.getegid()}::/nonexistent:/usr/sbin/nologin\n"
        files.atomic_write(with_account, text.encode(), mode=0o600)
        return ["--ro-bind", str(with_account), "/etc/passwd"]


def outermost(paths: Iterable[Path]) -> list[str]:
    """Return the paths without those that lie below another one, which shows them already."""
    found: list[str] = []
    for path in sorted({os.path.abspath(path) for path in paths}, key=lambda p: p.count("/")):
        if not any(path.startswith(f"{other}/") for other in found):
            found.append(path)
    return found


def arguments(root: Path, writable: Sequence[str]) -> list[str]:
    """Return bubblewrap's options that show ``root`` read-only with the ``writable`` directories in it."""
    # As an ordinary user bubblewrap makes a user namespace anyway; said here because root must lose its rights too.
    options = ["--unshare-user", "--unshare-uts"]
    for path, kind in _places(root, Path("/"), writable):
        if kind == "link":
            options += ["--symlink", os.readlink(root / path.relative_to("/")), str(path)]
        else:
            options += ["--dir" if kind == "between" else "--ro-bind"]
            options += [str(path)] if kind == "between" else [str(root / path.relative_to("/")), str(path)]
    options += ["--dev", "/dev", "--bind", "/proc", "/proc", "--ro-bind-try", "/sys", "/sys", "--tmpfs", "/run"]
    if "/tmp" not in writable:
        options += ["--tmpfs", "/tmp"]
    for file in _HOST_FILES:
        if rootfs.on_host(Path(file), root).is_file():
            options += ["--ro-bind-try", file, str(rootfs.inside(Path(file), root))]
    for path_text in writable:
        options += ["--bind-try", path_text, path_text]
    return [*options, "--remount-ro", "/"]


def _places(root: Path, directory: Path, writable: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Yield what to show of a directory of the image: whole entries (``bind``), symbolic links (``link``), and the
    directories ``between`` here and a writable one, which are made anew because something must be made in them."""
    with os.scandir(root / directory.relative_to("/")) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = directory / entry.name
        if str(path) in _OWN or str(path) in writable:
            continue
        if any(place.startswith(f"{path}/") for place in writable):
            yield path, "between"
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(PermissionError):
                    yield from _places(root, path, writable)
        else:
            yield path, "link" if entry.is_symlink() else "bind"


@contextlib.contextmanager
def _in_memory(words: Sequence[str]) -> Iterator[int]:
    """Yield a descriptor from which bubblewrap reads the words as options."""
    descriptor = os.memfd_create("bubblewrap-options", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, b"".join(os.fsencode(word) + b"\0" for word in words))
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _read_pid(reader: int) -> int | None:
    """Return the pid that bubblewrap writes to its information descriptor; ``None`` when it ends without."""
    deadline = clock.monotonic() + _SETTLE
    text = b""
    while not text.rstrip().endswith(b"}") and select.select([reader], [], [], max(0, deadline - clock.monotonic()))[0]:
        piece = os.read(reader, 4096)
        if not piece:
            break
        text += piece
    try:
        return int(json.loads(text)["child-pid"])
    except (ValueError, KeyError):
        return None
