# SPDX-License-Identifier: Apache-2.0
"""What the guest half does differently for MariaDB and MySQL: one small interface, one class in each one's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trove.datastores.mysql_family import config
from trove.datastores.mysql_family.facts import Family


@dataclass(frozen=True)
class Account:
    """One account as the server keeps it.

    :ivar verifier: what it stores of the password, as :meth:`Dialect.matches` takes it.
    :ivar global_access: may read every database.
    """

    user: str
    host: str
    plugin: str
    verifier: bytes
    locked: bool = False
    is_role: bool = False
    global_access: bool = False


class Dialect(Protocol):
    """The differences."""

    family: Family

    def settings(self, settings: config.Settings, version: str) -> Mapping[str, str]:
        """Return the variables of ``my.cnf``."""

    def dynamic(self, settings: config.Settings, version: str) -> Mapping[str, int]:
        """Return the variables that follow the size of the volume and can be set while the server runs."""

    def session_settings(self) -> Mapping[str, str]:
        """Return variables of the sister's own, as :data:`.connection.SETTINGS` has those of both; every version that
        is known has them."""

    def initialise_argv(self, home: Path, server: Path, target: Path) -> Sequence[str]:
        """Return the command that makes a new data directory in ``target``, an empty directory."""

    def check_argv(self, server: Path, options: Path, data_dir: Path) -> Sequence[str]:
        """Return the command that fails when the server would not take an option file; it touches no data."""

    def forget_identity(self, data_dir: Path) -> None:
        """Remove from an initialised directory what each instance must have of its own: keys, ids."""

    def first_statements(self, admin_password: str) -> Sequence[str]:
        """Return statements, one line each, that leave one account: Trove's, on the private socket."""

    def credential(self, password: str) -> tuple[str, tuple[object, ...]]:
        """Return the clause of ``CREATE USER`` and ``ALTER USER`` that sets a password, with its values."""

    def matches(self, account: Account, password: str) -> bool:
        """Tell whether the account has this password."""

    def accounts(self, connection: Any) -> list[Account]:
        """Return all accounts."""

    def root_grants(self) -> Sequence[str]:
        """Return ``GRANT`` statements up to their ``TO`` that make the owner's administrator."""
