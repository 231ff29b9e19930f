# SPDX-License-Identifier: Apache-2.0
"""Objects as files of one directory, which only the service's own account can enter.

An object's name becomes a path: each part before the last a directory ``d.PART``, the last a description ``o.PART``,
both percent-encoded, so that ``a`` and ``a/b`` can both exist and no name leads out of the directory. The description
is a JSON document that names the file with the content, beside it, and is replaced atomically: it is what makes an
object exist, so a reader, or a machine that lost power, finds the old object or the new one. A writer that dies leaves
a file that no description names, which :meth:`FilesystemStore.sweep` removes a day later.

Several processes of one host may share the directory; so may several hosts, on a file system with atomic renames.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from trove.common import clock
from trove.objectstore import base

#: Seconds after which a file that no description names is taken for a dead writer's.
ORPHAN_AGE = 86400.0
#: The longest part of a name, percent-encoded: file systems take 255 bytes, and we put some in front.
_MAX_PART = 240
_DIRECTORY, _DESCRIPTION, _CONTENT = "d.", "o.", "x."
_ATTEMPTS = 5


class FilesystemStore:
    """A :class:`trove.objectstore.base.ObjectStore` below ``root``, which is made with mode 0700.

    :raises StoreRefused: when it cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as err:
            raise base.StoreRefused(f"the directory {root} of the object store cannot be made: {err.strerror}") from err

    def put(
        self,
        project_id: str,
        container: str,
        name: str,
        chunks: Iterable[bytes],
        *,
        metadata: Mapping[str, str] | None = None,
        expire_after: int | None = None,
    ) -> base.ObjectInfo:
        """See :meth:`trove.objectstore.base.ObjectStore.put`."""
        path = self._path(project_id, container, name)
        content = path.with_name(f"{_CONTENT}{secrets.token_hex(8)}")
        with _mapped_errors():
            self._make(path.parent)
            try:
                size, etag = _write(content, _source(chunks))
                described = {
                    "content": content.name,
                    "size": size,
                    "etag": etag,
                    "metadata": {key.lower(): value for key, value in (metadata or {}).items()},
                    "expires": None if expire_after is None else clock.timestamp() + expire_after,
                }
                before = _read(path)
                _replace(path, json.dumps(described).encode())
            except BaseException:
                content.unlink(missing_ok=True)
                raise
            if before is not None:
                path.with_name(before["content"]).unlink(missing_ok=True)
        return base.ObjectInfo(name, size, etag, described["metadata"])

    def get(self, project_id: str, container: str, name: str) -> Iterator[bytes]:
        """See :meth:`trove.objectstore.base.ObjectStore.get`."""
        path = self._path(project_id, container, name)
        with _mapped_errors():
            for _ in range(_ATTEMPTS):  # it may be replaced between the look at the description and the opening
                described = _alive(path)
                with contextlib.suppress(FileNotFoundError):
                    return _pieces(open(path.with_name(described["content"]), "rb", buffering=0))
        raise base.StoreUnavailable(f"the object {name} is being replaced over and over")

    def head(self, project_id: str, container: str, name: str) -> base.ObjectInfo:
        """See :meth:`trove.objectstore.base.ObjectStore.head`."""
        with _mapped_errors():
            described = _alive(self._path(project_id, container, name))
        return base.ObjectInfo(name, described["size"], described["etag"], described["metadata"])

    def find(self, project_id: str, container: str, prefix: str = "") -> Iterator[base.ObjectInfo]:
        """See :meth:`trove.objectstore.base.ObjectStore.find`."""
        # Order by name is not order by file: "a-b" sorts before "a/b", which lies deeper.
        found = []
        above, _, _ = prefix.rpartition("/")
        start = self._container(project_id, container).joinpath(*(_part(_DIRECTORY, item) for item in _split(above)))
        with _mapped_errors():
            for path in _descriptions(start):
                name = self._name(project_id, container, path)
                described = _read(path) if name.startswith(prefix) else None
                if described is not None and not _expired(described):
                    found.append(base.ObjectInfo(name, described["size"], described["etag"]))
        return iter(sorted(found, key=lambda item: item.name.encode()))

    def remove(self, project_id: str, container: str, name: str) -> None:
        """See :meth:`trove.objectstore.base.ObjectStore.remove`."""
        with _mapped_errors():
            self._remove(self._path(project_id, container, name))

    def sweep(self) -> int:
        """See :meth:`trove.objectstore.base.ObjectStore.sweep`; also removes what dead writers left, and empty
        directories."""
        removed = 0
        with _mapped_errors():
            for path in list(_descriptions(self._root)):
                described = _read(path)
                if described is not None and _expired(described):
                    self._remove(path)
                    removed += 1
            for folder, _, files in os.walk(self._root, topdown=False):
                self._tidy(Path(folder), files)
        return removed

    def _make(self, folder: Path) -> None:
        # Path.mkdir gives parents that it makes another mode.
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)

    def _tidy(self, folder: Path, files: list[str]) -> None:
        named = {d["content"] for d in (_read(folder / f) for f in files if f.startswith(_DESCRIPTION)) if d}
        for file in files:
            path = folder / file
            with contextlib.suppress(FileNotFoundError):
                orphan = not file.startswith(_DESCRIPTION) and file not in named
                if orphan and clock.timestamp() - path.stat().st_mtime > ORPHAN_AGE:
                    path.unlink()
        if folder != self._root:
            with contextlib.suppress(OSError):  # not empty, which is the usual case
                folder.rmdir()

    def _remove(self, path: Path) -> None:
        described = _read(path)
        path.unlink(missing_ok=True)
        if described is not None:
            path.with_name(described["content"]).unlink(missing_ok=True)

    def _container(self, project_id: str, container: str) -> Path:
        return self._root / _part(_DIRECTORY, project_id) / _part(_DIRECTORY, container)

    def _path(self, project_id: str, container: str, name: str) -> Path:
        base.check_name(name)
        *above, last = name.split("/")
        directory = self._container(project_id, container).joinpath(*(_part(_DIRECTORY, item) for item in above))
        return directory / _part(_DESCRIPTION, last)

    def _name(self, project_id: str, container: str, path: Path) -> str:
        parts = path.relative_to(self._container(project_id, container)).parts
        return "/".join(unquote(part[2:]) for part in parts)


def _part(kind: str, text: str) -> str:
    encoded = quote(text, safe="")
    if len(encoded) > _MAX_PART:
        raise base.StoreRefused("a part of the name of an object is too long for a file system")
    return kind + encoded


def _split(text: str) -> list[str]:
    return text.split("/") if text else []


def _descriptions(start: Path) -> Iterator[Path]:
    for folder, _, files in os.walk(start):
        for file in files:
            if file.startswith(_DESCRIPTION):
                yield Path(folder, file)


def _write(path: Path, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Write ``chunks`` durably; return size and MD5."""
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
            size += len(chunk)
            digest.update(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return size, digest.hexdigest()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{secrets.token_hex(8)}")
    try:
        _write(temporary, [data])
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any] | None:
    """Return a description, ``None`` when there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as err:
        raise base.StoreRefused(f"{path} is damaged: {err}") from err
    return found


def _alive(path: Path) -> dict[str, Any]:
    described = _read(path)
    if described is None or _expired(described):
        raise base.ObjectNotFound("there is no such object")
    return described


def _expired(described: Mapping[str, Any]) -> bool:
    return described["expires"] is not None and described["expires"] <= clock.timestamp()


def _pieces(stream: Any) -> Iterator[bytes]:
    with stream, _mapped_errors():
        while chunk := stream.read(base.CHUNK_BYTES):
            yield chunk


class _SourceError(Exception):
    """What the content comes from failed: not the store's fault, though it may be an :class:`OSError` too."""

    def __init__(self, error: OSError) -> None:
        self.error = error


def _source(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except OSError as err:
        raise _SourceError(err) from err


@contextlib.contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except _SourceError as err:
        raise err.error from None
    except FileNotFoundError as err:  # its directory went with a sweep; the next attempt makes it again
        raise base.StoreUnavailable(f"the object store was changed meanwhile: {err.strerror}") from err
    except OSError as err:
        raise base.StoreUnavailable(f"the object store's directory cannot be used: {err.strerror}") from err
