# SPDX-License-Identifier: Apache-2.0
"""Where a standalone service keeps things, and the few values it must remember between starts."""

import contextlib
import dataclasses
import errno
import json
import os
import secrets
import socket
from pathlib import Path

from trove.db.crypto import KeyEncryptionKey

#: Between those of well-known services and those of clients (``net.ipv4.ip_local_port_range``).
_PORTS = range(20000, 32000)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Chosen at the first start and kept: clients and guests know them.

    :ivar gateway_port: where guests dial; agents survive a restart of the service and must find it again.
    :ivar enforce_new_defaults: default of ``[oslo_policy] enforce_new_defaults``. A directory of an earlier version
        says nothing of it, so roles of its operator's own go on to mean what they meant.
    :ivar ciphertext_version: default of ``[security] ciphertext_version``. The earlier version can still be started in
        a directory of its own.
    """

    project_id: str
    password: str
    gateway_port: int
    enforce_new_defaults: bool = False
    ciphertext_version: int = 1


class Layout:
    """The files below one data directory.

    :param root: the data directory; made with mode 0700 (0711 when root runs the service, because the guests'
        unprivileged account must pass through it).
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.database = self.root / "trove.sqlite"
        self.key = self.root / "key-encryption-key"
        self.users = self.root / "users.yaml"
        self.clouds = self.root / "clouds.yaml"
        self.endpoint = self.root / "endpoint"
        self.pid = self.root / "trove-standalone.pid"
        self.running = self.root / "running.json"
        self.log = self.root / "trove-standalone.log"
        self.guests = self.root / "guests"
        self.images = self.root / "images"
        self.objects = self.root / "objects"
        self._settings = self.root / "settings.json"

    @property
    def started(self) -> bool:
        """Whether a service was ever started in it."""
        return self._settings.exists()

    def create_root(self) -> None:
        """Make the data directory itself, which is all that may be done without the lock of :attr:`pid`.

        :raises OSError: when that is impossible.
        """
        if self.root.exists() and not self.root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self.root))
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def create(self) -> Settings:
        """Make what is missing and return the settings; safe to repeat. The caller holds the lock of :attr:`pid`.

        :raises OSError: when something cannot be made.
        :raises ValueError: when the settings that are there cannot be read.
        """
        self.create_root()
        self.guests.mkdir(exist_ok=True)
        for private in (self.database, self.log):
            # SQLite gives its journal files the mode of the database.
            private.touch(mode=0o600)
        KeyEncryptionKey.create_file(self.key)
        if not self.started:
            fresh = Settings(
                secrets.token_hex(16), secrets.token_urlsafe(24), _free_port(),
                enforce_new_defaults=True, ciphertext_version=2,
            )  # fmt: skip
            write_private(self._settings, json.dumps(dataclasses.asdict(fresh)))
        return self.settings()

    def settings(self) -> Settings:
        """Return the settings of an existing data directory.

        :raises FileNotFoundError: when nothing was ever started in it.
        :raises ValueError: when they cannot be read.
        """
        try:
            return Settings(**json.loads(self._settings.read_text()))
        except (ValueError, TypeError) as err:
            raise ValueError(f"{self._settings} is damaged: {err}") from err


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _free_port() -> int:
    """Return a port for the gateway that is free now, below those that the kernel gives to clients.

    While the service is down its guests keep dialling the port. One of the clients' range could be given to any
    connection meanwhile, even to such an attempt itself, and the service could not have it back.
    """
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
