# SPDX-License-Identifier: Apache-2.0
"""What a guest must remember of its keys over restarts, and a file to keep it in."""

import contextlib
import os
import pathlib
from typing import Annotated, Protocol

import msgspec

from trove.wire import base

_Key = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class KeyState(msgspec.Struct, frozen=True, kw_only=True):
    """The guest's side of the conversation.

    :ivar boot: number of the latest start of the agent.
    :ivar generation: which key ``master`` is; 0 while there is none.
    :ivar master: hexadecimal master key of ``generation``.
    :ivar confirmed: the control plane has used that key; from then on the one-time key is worthless.
    :ivar next: what was agreed on to follow ``master``, until the control plane has used it.
    :ivar answered: public keys of that exchange, the control plane's and the guest's: a repeated order is answered
        alike.
    :ivar heard_at: highest ``sent_at`` of an authenticated message, in milliseconds.
    """

    boot: base.Count = 0
    generation: base.Count = 0
    master: _Key | None = None
    confirmed: bool = False
    next: _Key | None = None
    answered: tuple[_Key, _Key] | None = None
    heard_at: base.Count = 0

    def __repr__(self) -> str:
        return f"<KeyState boot={self.boot} generation={self.generation} confirmed={self.confirmed}>"


class KeyStoreError(Exception):
    """What was kept cannot be read. The agent must stop: to start afresh would repeat sequences or leave the real
    keys."""


class KeyStore(Protocol):
    """Where a :class:`KeyState` is kept."""

    def load(self) -> KeyState | None:
        """Return what was saved last, ``None`` when nothing ever was.

        :raises KeyStoreError: when something is there that cannot be read.
        """

    def save(self, state: KeyState) -> None:
        """Replace what is kept, atomically and durably: after a crash either the old or the new state is found.

        :raises OSError: when it could not; the old state is still there.
        """


class FileKeyStore:
    """One file of mode 0600, replaced by rename.

    :param path: in a directory that only the agent's account can write.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = pathlib.Path(path)

    def load(self) -> KeyState | None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as err:
            raise KeyStoreError(f"cannot read {self._path}: {err.strerror}") from err
        try:
            return msgspec.json.decode(data, type=KeyState)
        except msgspec.MsgspecError:
            # Not chained: the text could quote a part of the key.
            raise KeyStoreError(f"{self._path} is damaged") from None

    def save(self, state: KeyState) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
