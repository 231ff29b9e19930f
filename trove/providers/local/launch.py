# SPDX-License-Identifier: Apache-2.0
"""Become an ordinary user who can see just enough, then become another program.

Run as root in a process of its own: ``python -I -S launch.py WORD… -- PROGRAM ARGUMENT…``. The words are made by
:mod:`trove.providers.local.privileges`:

``uid=N`` ``gid=N`` ``groups=N,N``
    who to become, in which supplementary groups (none without the word); new privileges are refused for good
    (``PR_SET_NO_NEW_PRIVS``).
``hide=DIR``
    a directory that this user cannot enter. In a private mount namespace an empty directory that everybody can enter is
    mounted over it.
``ro=PATH`` ``rw=PATH``
    what the user needs from inside a hidden directory; it appears again under its own name.
``link=PATH:TARGET``
    a symbolic link that leads there (neither side may hold a colon).
``cgroup=FILE`` ``netns=FILE``
    a control group to join (its ``cgroup.procs``) and a network namespace to enter, both before anything else.
``keep=PATH``
    the one volume that stays mounted in the private mount namespace, see :func:`let_go`.
``own=DIR``
    a directory that stays writable where ``netns`` isolates the user: everything else is mounted read-only then, see
    :func:`protect`.
``private=DIR``
    a directory for temporary files of everybody's that the user gets one of its own for, on the volume that it keeps.
``passwd=FILE``
    a user database that has the user in it, shown to it as /etc/passwd: some engines look themselves up.
``cwd=DIR`` ``status=FD``
    the new working directory; a descriptor that gets the reason of a failure and is closed by a success.

The user could not enter the hidden directories before, so hiding them takes nothing away, and all path names stay
valid. Nothing but ``ctypes``, ``errno``, ``os`` and ``sys`` is imported, because every start of an instance waits for
this.
"""

import ctypes
import errno
import os
import sys
from typing import NoReturn

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_RELATIME = 1 << 21
PR_SET_NO_NEW_PRIVS = 38

PASSWD = "/etc/passwd"
#: Where ip-netns(8) keeps namespaces.
NAMESPACES = "/run/netns"
#: Directory of the volume that takes the place of those for temporary files.
TEMPORARY = ".tmp"
#: Where POSIX shared memory is made (shm_open(3)); it counts as memory of the instance.
SHARED_MEMORY = "/dev/shm"
#: Needed to make user namespaces, and each file in it has checks of its own.
_KERNEL_FILES = "/proc"

#: Flags of a mount as the kernel lists them, which are to stay when another one is added.
_FLAGS = {
    "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC, "noatime": MS_NOATIME,
    "nodiratime": MS_NODIRATIME, "relatime": MS_RELATIME,
}

#: Exit status when the program could not be started.
EXIT_FAILED = 126

_libc = ctypes.CDLL(None, use_errno=True)


class LaunchError(Exception):
    """Why the program cannot be started, for the operator."""


def parse(words: list[str]) -> list[tuple[str, str]]:
    """Return the words as pairs."""
    return [(key, value) for key, _, value in (word.partition("=") for word in words)]


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None, what: str) -> None:
    encoded = [part.encode() if part is not None else None for part in (source, target, kind, data)]
    if _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]) != 0:
        raise LaunchError(f"{what}: {os.strerror(ctypes.get_errno())}")


def private_namespace() -> None:
    """Give this process a mount namespace of its own, in which nothing that is mounted elsewhere appears or goes.

    :raises LaunchError: when the kernel refuses.
    """
    if _libc.unshare(CLONE_NEWNS) != 0:
        raise LaunchError(f"cannot make a mount namespace: {os.strerror(ctypes.get_errno())}")
    _mount("none", "/", None, MS_REC | MS_PRIVATE, None, "cannot make the mount namespace private")


def remedy(words: list[tuple[str, str]]) -> str:
    """Return what helps when the kernel refused to hide something, as the end of a sentence; else nothing."""
    hidden = ", ".join(value for key, value in words if key == "hide")
    if not hidden:
        return ""
    uid = dict(words)["uid"]
    return (
        f". User id {uid} cannot enter {hidden} and needs something from inside. Start the service as an ordinary "
        "user, let others enter (chmod o+x), move what is needed elsewhere, or start the service with CAP_SYS_ADMIN"
    )


def _point_for(path: str, is_directory: bool) -> None:
    """Make the place where ``path`` will be mounted, inside a hidden directory."""
    if is_directory:
        os.makedirs(path, mode=0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def confine(words: list[tuple[str, str]]) -> None:
    """Join the control groups and enter the network namespace.

    :raises LaunchError: when the kernel refuses.
    """
    for key, value in words:
        if key == "cgroup":
            with open(value, "w") as stream:
                stream.write(str(os.getpid()))
        elif key == "netns":
            handle = os.open(value, os.O_RDONLY | os.O_CLOEXEC)
            if _libc.setns(handle, CLONE_NEWNET) != 0:
                raise LaunchError(f"cannot enter {value}: {os.strerror(ctypes.get_errno())}")
            os.close(handle)


def _unescape(path: str) -> str:
    """Undo what the kernel does to white space and the backslash in its list of mounts."""
    for code in ("040", "011", "012", "134"):
        path = path.replace("\\" + code, chr(int(code, 8)))
    return path


def let_go(words: list[tuple[str, str]]) -> None:
    """Unmount, in the private mount namespace, the volumes and network namespaces of all instances of this host, but
    not what is to be kept.

    They came along when the mount namespace was made. Nobody needs them here, and as long as they are here the host
    could unmount them, but neither free a volume's loop device nor end a network namespace.

    :raises LaunchError: when the kernel refuses, for a program that is to be isolated; any other runs all the same.
    """
    isolated = any(key == "netns" for key, _ in words)
    kept = {value for key, value in words if key == "keep"}
    for fields in _mounts():
        point, kind, source = _unescape(fields[4]), *fields[fields.index("-") + 1:][:2]
        parts = point.split("/")
        named = parts[-1] == "data" and parts[-3:-2] == ["volumes"]
        volume = named and kind == "xfs" and source.startswith("/dev/loop") and point not in kept
        if not (volume or point == NAMESPACES or point.startswith(NAMESPACES + "/")):
            continue
        if _libc.umount2(os.fsencode(point), 0) != 0 and isolated:
            code = ctypes.get_errno()
            if code not in (errno.ENOENT, errno.EINVAL):  # the service has removed it at this very moment
                raise LaunchError(f"cannot let go of {point}: {os.strerror(code)}")


def _mounts() -> list[list[str]]:
    """Return the fields of each mount, see proc_pid_mountinfo(5), the last mounted first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        return [line.rstrip("\n").split(" ") for line in stream][::-1]


def rearrange(words: list[tuple[str, str]]) -> None:
    """Hide the directories and put back what is needed, outermost first.

    :raises LaunchError: when the kernel refuses.
    """
    if not any(key in ("hide", "netns", "passwd") for key, _ in words):
        return
    os.umask(0o022)
    private_namespace()  # first: a handle from another namespace cannot be mounted in this one
    let_go(words)
    temporary = _temporary(words)  # while the volume can be seen
    handles = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for key, path in words if key in ("ro", "rw", "passwd")}
    order = {"hide": 0, "ro": 1, "rw": 1, "link": 2}
    for key, value in sorted((w for w in words if w[0] in order), key=lambda w: (w[1].count("/"), order[w[0]])):
        if key == "hide":
            _mount("tmpfs", value, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m", f"cannot mount over {value}")
        elif key == "link":
            path, _, target = value.partition(":")
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            if not os.path.lexists(path):
                os.symlink(target, path)
        else:
            source = f"/proc/self/fd/{handles[value]}"
            _point_for(value, os.path.isdir(source))
            _mount(source, value, None, MS_BIND | MS_REC, None, f"cannot show {value}")
            if key == "ro":
                _mount("none", value, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None, f"cannot protect {value}")
    for path in [value for key, value in words if key == "passwd"]:
        _mount(f"/proc/self/fd/{handles[path]}", PASSWD, None, MS_BIND, None, f"cannot mount over {PASSWD}")
        _mount("none", PASSWD, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None, f"cannot protect {PASSWD}")
    protect(words, temporary)
    for handle in handles.values():  # whoever does not execute a program would keep them
        os.close(handle)


def protect(words: list[tuple[str, str]], temporary: int | None) -> None:
    """Leave an isolated user no place to write but its own directories.

    What all users of the host share for temporary files and shared memory is replaced by something of its own;
    everything else is mounted read-only, in this mount namespace. Devices, sockets and pipes work on such mounts.

    :param temporary: descriptor of the user's own directory for temporary files, closed here.
    :raises LaunchError: when the kernel refuses.
    """
    if not any(key == "netns" for key, _ in words):
        return
    shown = [value.rpartition(":")[2] for key, value in words if key in ("as", "hide", "keep", "rw")]
    writable = [_KERNEL_FILES, *shown]
    for path in [value for key, value in words if key == "own" and os.path.isdir(value)]:
        _mount(path, path, None, MS_BIND | MS_REC, None, f"cannot keep {path} writable")
        writable.append(path)
    if os.path.isdir(SHARED_MEMORY):
        flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
        _mount("tmpfs", SHARED_MEMORY, "tmpfs", flags, "mode=1777", f"cannot mount over {SHARED_MEMORY}")
        writable.append(SHARED_MEMORY)
    if temporary is not None:
        for path in [value for key, value in words if key == "private" and os.path.isdir(value)]:
            _mount(f"/proc/self/fd/{temporary}", path, None, MS_BIND, None, f"cannot mount over {path}")
            writable.append(path)
        os.close(temporary)
    _protect_others({os.path.realpath(path) for path in writable})


def _protect_others(writable: set[str]) -> None:
    """Make every mount read-only that is not at one of these places."""
    for fields in _mounts():
        point, options = _unescape(fields[4]), fields[5].split(",")
        # By name: to look at a mount of another machine that is away would take for ever.
        if "ro" in options or point in writable:
            continue
        flags = MS_REMOUNT | MS_BIND | MS_RDONLY
        for option in options:
            flags |= _FLAGS.get(option, 0)
        if _libc.mount(None, os.fsencode(point), None, ctypes.c_ulong(flags), None) != 0:
            code = ctypes.get_errno()
            # Another mount lies over it, or it has gone meanwhile: nobody gets there.
            if code not in (errno.ENOENT, errno.EINVAL, errno.EACCES):
                raise LaunchError(f"cannot protect {point}: {os.strerror(code)}")


def _temporary(words: list[tuple[str, str]]) -> int | None:
    """Return a descriptor of the user's own directory for temporary files, made if need be.

    What is on the volume is the user's, so nothing is followed. ``None`` where the volume is full or something else is
    in the way: then there is no place for temporary files, and the agent still starts, to say so.
    """
    single = dict(words)
    if not {"netns", "keep", "private"} <= single.keys():
        return None
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    above = os.open(single["keep"], os.O_PATH | flags)
    try:
        if TEMPORARY not in os.listdir(f"/proc/self/fd/{above}"):
            os.mkdir(TEMPORARY, 0o700, dir_fd=above)
        handle = os.open(TEMPORARY, os.O_RDONLY | flags, dir_fd=above)
        os.fchown(handle, int(single["uid"]), int(single["gid"]))
    except OSError:
        return None
    finally:
        os.close(above)
    return handle


def become(uid: int, gid: int, groups: list[int]) -> None:
    """Drop every privilege for good."""
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise LaunchError(f"cannot refuse new privileges: {os.strerror(ctypes.get_errno())}")


def prepare(words: list[tuple[str, str]]) -> None:
    """Do everything but to start the program.

    :raises LaunchError: naming what the kernel or the account's rights refuse.
    """
    single = dict(words)
    confine(words)
    rearrange(words)
    groups = [int(group) for group in single.get("groups", "").split(",") if group]
    become(int(single["uid"]), int(single["gid"]), groups)
    os.umask(0o077)
    if "cwd" in single:
        os.chdir(single["cwd"])
    missing = [value for key, value in words if key in ("ro", "rw", "cwd") and not os.access(value, os.R_OK)]
    if missing:
        raise LaunchError(f"user id {single['uid']} cannot read {', '.join(missing)}")


def main(argv: list[str]) -> NoReturn:
    """Do what the module's docstring says; never return."""
    split = argv.index("--")
    words = parse(argv[:split])
    single = dict(words)
    status = int(single.get("status", "2"))
    program = argv[split + 1:]
    try:
        if status > 2:
            os.set_inheritable(status, False)
        prepare(words)
        os.execvpe(program[0], program, os.environ)
    except (LaunchError, OSError) as err:
        os.write(status, f"{program[0]} was not started: {err}{remedy(words)}\n".encode())
    os._exit(EXIT_FAILED)


if __name__ == "__main__":
    main(sys.argv[1:])
