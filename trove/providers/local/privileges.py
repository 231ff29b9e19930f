# SPDX-License-Identifier: Apache-2.0
"""Run a program as an ordinary user although the service runs as root.

Database engines refuse to run as root, and tenants' engines should not. So agents and engines run under another account
(:mod:`.accounts`) without a way back. That account must be able to read the program, this package, the Python it runs
on and the engine, which may lie below directories that only root can enter (``/root``, a checkout in ``mktemp -d``).
:func:`launcher_argv` finds those directories and has :mod:`trove.providers.local.launch` show exactly the needed paths
in a private mount namespace; nothing else of a hidden directory becomes visible, and code is shown read-only.

Paste this to run a test as somebody else::

    subprocess.run(run_unprivileged_argv(["/usr/bin/id"], user="nobody"), check=True)
"""

import compileall
import ctypes
import errno
import functools
import os
import pwd
import stat
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trove
from trove.providers import base
from trove.providers.local import launch

_MAX_LINKS = 40
#: <linux/capability.h>
_CAP_SYS_ADMIN = 21

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Account:
    """A user of this host, reduced to what the kernel asks for.

    :ivar groups: supplementary groups.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def may_enter(self, directory: str) -> bool:
        """Tell whether the mode bits let this account pass through ``directory``."""
        return self._allowed(directory, stat.S_IXOTH)

    def may_list(self, directory: str) -> bool:
        """Tell whether the mode bits let this account enter and list ``directory``."""
        return self._allowed(directory, stat.S_IXOTH | stat.S_IROTH)

    def _allowed(self, directory: str, bits: int) -> bool:
        found = os.stat(directory)
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in (self.gid, *self.groups) else 0
        return found.st_mode & (bits << shift) == bits << shift


def find_account(name: str) -> Account:
    """Return the account called ``name``.

    :raises base.FatalError: when there is none, or it is root.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise base.FatalError(f"[local] user names the account '{name}', which this host does not have") from None
    if entry.pw_uid == 0:
        raise base.FatalError(f"[local] user names '{name}', which is root; engines must run as an ordinary user")
    return Account(name, entry.pw_uid, entry.pw_gid)


def effective_capabilities() -> int:
    """Return this process's effective capabilities as the bits of <linux/capability.h>."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def may_mount() -> bool:
    """Tell whether this process may make mount namespaces and mount something in them."""
    return bool(effective_capabilities() >> _CAP_SYS_ADMIN & 1)


def with_rights_of(account: Account, call: Callable[[], T]) -> T:
    """Return what ``call`` returns in a thread that may do to files what ``account`` may, and no more.

    setfsuid(2) counts for one thread only and takes root's capabilities over files away from it. The thread ends with
    the call, so that no other call can inherit its rights.

    :raises OSError: when the kernel refuses; also what ``call`` raises.
    """
    result: Future[T] = Future()

    def work() -> None:
        try:
            for change, number in ((_libc.setfsgid, account.gid), (_libc.setfsuid, account.uid)):
                change(number)
                if change(-1) != number:  # both only ever answer with the id before
                    raise PermissionError(errno.EPERM, f"the rights of the account {account.name} cannot be taken")
            result.set_result(call())
        except BaseException as err:  # boundary: it is the caller's
            result.set_exception(err)

    thread = threading.Thread(target=work, name=f"as-{account.name}", daemon=True)
    thread.start()
    return result.result()


def run_unprivileged_argv(
    argv: Sequence[str], *, user: str = "nobody", needed_paths: Iterable[str] = (), writable_paths: Iterable[str] = ()
) -> list[str]:
    """Return the command line that runs ``argv`` as ``user`` with this Python, its packages and ``needed_paths``
    readable.

    When the caller is not root, ``argv`` itself is returned: it already runs as an ordinary user.

    :param writable_paths: like ``needed_paths``, but shown with write access; their owner and mode are the caller's
        business.
    :raises base.FatalError: see :func:`find_account` and :func:`launcher_argv`.
    """
    if os.geteuid() != 0:
        return list(argv)
    read_only = [*code_paths(), *needed_paths]
    return launcher_argv(argv, account=find_account(user), read_only=read_only, writable=writable_paths)


def launcher_argv(
    argv: Sequence[str],
    *,
    account: Account,
    read_only: Iterable[str] = (),
    writable: Iterable[str] = (),
    cwd: str | None = None,
    status_fd: int | None = None,
    words: Sequence[str] = (),
) -> list[str]:
    """Return the command line that root runs so that ``account`` runs ``argv``.

    :param words: more of the launcher's words.
    :param status_fd: an inherited descriptor that gets the reason when ``argv`` cannot be started.
    :raises base.FatalError: when a needed path has a name that the launcher cannot take.
    """
    arguments = launcher_words(account, read_only, writable, words)
    if cwd is not None:
        arguments.append(f"cwd={cwd}")
    return launcher_command(argv, arguments, status_fd)


def launcher_words(
    account: Account, read_only: Iterable[str] = (), writable: Iterable[str] = (), words: Sequence[str] = ()
) -> list[str]:
    """Return what the launcher is told so that ``account`` runs a program that needs these paths.

    :raises base.FatalError: when a needed path has a name that the launcher cannot take.
    """
    groups = [f"groups={','.join(map(str, account.groups))}"] if account.groups else []
    return [f"uid={account.uid}", f"gid={account.gid}", *groups, *words, *view(account, read_only, writable)]


def launcher_command(argv: Sequence[str], words: Sequence[str], status_fd: int | None = None) -> list[str]:
    """Return the command line of the launcher with its words and the program that it becomes."""
    status = [] if status_fd is None else [f"status={status_fd}"]
    return [sys.executable, "-I", "-S", launch.__file__, *words, *status, "--", *argv]


def view(account: Account, read_only: Iterable[str], writable: Iterable[str] = ()) -> list[str]:
    """Return the launcher's words that make the paths reachable for ``account``; none when they all are.

    :raises base.FatalError: for a symbolic link below a hidden directory with a colon in its name or target.
    """
    modes: dict[str, str] = {}
    links: dict[str, str] = {}
    for paths, mode in ((read_only, "ro"), (writable, "rw")):
        for path in paths:
            real = _follow(path, links)
            for part in _listable_parts(account, real):
                modes[_follow(part, links)] = mode
    hidden: set[str] = set()
    shown: dict[str, str] = {}
    for path in sorted(modes, key=lambda p: (p.count("/"), p)):
        blocked = [a for a in _ancestors(path) if not account.may_enter(a)]
        around = [p for p in shown if path.startswith(p + "/")]
        if around:  # what lies around it is visible already, and so is what lies between, unless it is blocked again
            cover = max(around, key=len)
            blocked = [a for a in blocked if a.startswith(cover + "/")]
            if not blocked and shown[cover] == modes[path]:
                continue
        elif not blocked:
            continue
        hidden.update(blocked[:1])
        shown[path] = modes[path]
    words = [f"hide={path}" for path in sorted(hidden)] + [f"{mode}={path}" for path, mode in shown.items()]
    return words + list(_link_words(links, hidden, shown))


@functools.cache
def code_paths() -> tuple[str, ...]:
    """Return what a Python process with this package needs to read: interpreter, environment, this and every editable
    package."""
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, os.path.dirname(trove.__file__)}
    paths.add(sys.executable)
    for directory in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for file in sorted(Path(directory).glob("*.pth")):
            for line in file.read_text(errors="replace").splitlines():
                entry = os.path.join(directory, line.strip())
                if line.strip() and not line.startswith(("#", "import ", "import\t")) and os.path.isdir(entry):
                    paths.update(_importable(entry))
    for entry in python_environment().get("PYTHONPATH", "").split(os.pathsep):
        if os.path.isdir(entry):
            paths.update(_importable(entry))
    for name, module in list(sys.modules.items()):  # setuptools' finders for editable packages
        mapping = getattr(module, "MAPPING", None)
        if name.startswith("__editable__") and isinstance(mapping, dict):
            paths.update(value for value in mapping.values() if isinstance(value, str))
    return tuple(sorted(path for path in paths if os.path.exists(path)))


def python_environment() -> dict[str, str]:
    """Return the search path for packages, where one is set in the environment of this process."""
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry.startswith("/")]
    return {"PYTHONPATH": os.pathsep.join(entries)} if entries else {}


@functools.cache
def precompile() -> None:
    """Compile the packages that guests import, once per process: their account cannot write into the checkout, so each
    start of an agent would compile them again."""
    if sys.dont_write_bytecode:
        return
    for package in ("cmd", "common", "datastores", "domain", "guestagent", "guestbus", "wire"):
        compileall.compile_dir(os.path.join(os.path.dirname(trove.__file__), package), quiet=2)


def engine_paths(home: str) -> tuple[str, ...]:
    """Return what an engine with its programs in ``home`` needs to read: its libraries lie beside ``bin``, not
    below."""
    directory = home.rstrip("/")
    return (os.path.dirname(directory),) if os.path.basename(directory) == "bin" else (directory,)


def _importable(directory: str) -> Iterator[str]:
    for entry in os.scandir(directory):
        if entry.name.endswith((".py", ".so", ".egg-info", ".dist-info")) or (
            entry.is_dir() and os.path.exists(os.path.join(entry.path, "__init__.py"))
        ):
            yield entry.path


def _ancestors(path: str) -> list[str]:
    """Return the directories above ``path``, outermost first."""
    return [str(parent) for parent in reversed(Path(path).parents)]


def _follow(path: str, links: dict[str, str]) -> str:
    """Return where ``path`` leads; note each symbolic link on the way in ``links`` under its own real name."""
    done = "/"
    todo = [part for part in os.path.abspath(path).split("/") if part]
    seen = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = os.path.dirname(done)
            continue
        here = os.path.join(done, part)
        if not os.path.islink(here):
            done = here
            continue
        seen += 1
        if seen > _MAX_LINKS:
            raise base.FatalError(f"{path} has too many symbolic links")
        target = links[here] = os.readlink(here)
        if target.startswith("/"):
            done = "/"
        todo = [piece for piece in target.split("/") if piece not in ("", ".")] + todo
    return done


def _listable_parts(account: Account, path: str) -> list[str]:
    """Return ``path``, or what is directly inside when it is a directory that the account cannot list."""
    if not os.path.exists(path):
        return []
    if os.path.isdir(path) and not account.may_list(path) and os.stat(path).st_uid == 0:
        return sorted(os.path.join(path, name) for name in os.listdir(path))
    return [path]


def _link_words(links: dict[str, str], hidden: set[str], shown: dict[str, str]) -> Iterator[str]:
    for path, target in sorted(links.items()):
        above = _ancestors(path)
        last_hidden = max((len(a) for a in above if a in hidden), default=0)
        last_shown = max((len(a) for a in above if a in shown), default=0)
        if last_hidden > last_shown:
            if ":" in path or ":" in target:
                raise base.FatalError(f"the symbolic link {path} cannot be shown to another user: its name has a colon")
            yield f"link={path}:{target}"
