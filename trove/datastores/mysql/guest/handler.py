# SPDX-License-Identifier: Apache-2.0
"""The guest half of MySQL: its dialect, and the entry point.

Passwords are stored by ``caching_sha2_password``, the only plugin that every version from 8.0 on has loaded.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trove.datastores import spi
from trove.datastores.mysql import config as mysql_config
from trove.datastores.mysql import facts
from trove.datastores.mysql_family import config
from trove.datastores.mysql_family.facts import ADMIN, ADMIN_CONNECTIONS
from trove.datastores.mysql_family.guest import verifiers
from trove.datastores.mysql_family.guest.accounts import text
from trove.datastores.mysql_family.guest.connection import execute
from trove.datastores.mysql_family.guest.dialect import Account
from trove.datastores.mysql_family.guest.handler import FamilyHandler

#: Only for initialising: nothing of it needs to be on the disk before all of it is.
_INITIALISE = (
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--innodb-buffer-pool-size=64M",
)
#: Made at the first start for every instance anew; shared, one tenant could read another's traffic.
_IDENTITY = ("auto.cnf", "*.pem", "ib_buffer_pool", "#ib_*.dblwr")
#: Limits that only MySQL has.
_SESSION = {"max_execution_time": "0", "transaction_isolation": "'READ-COMMITTED'"}
#: A role is an account that cannot log in, by these three.
_ACCOUNTS = """
SELECT User, Host, plugin, HEX(authentication_string), account_locked = 'Y',
  account_locked = 'Y' AND password_expired = 'Y' AND authentication_string = '', Select_priv = 'Y'
FROM mysql.user
"""


class MySQLDialect:
    """Implements :class:`trove.datastores.mysql_family.guest.dialect.Dialect`."""

    family = facts.FAMILY

    def settings(self, settings: config.Settings, version: str) -> Mapping[str, str]:
        return mysql_config.variables(settings, version)

    def dynamic(self, settings: config.Settings, version: str) -> Mapping[str, int]:
        return mysql_config.dynamic(settings, version)

    def session_settings(self) -> Mapping[str, str]:
        return _SESSION

    def initialise_argv(self, home: Path, server: Path, target: Path) -> Sequence[str]:
        return [str(server), "--no-defaults", "--initialize-insecure", f"--datadir={target}", *_INITIALISE]

    def check_argv(self, server: Path, options: Path, data_dir: Path) -> Sequence[str]:
        return [str(server), f"--defaults-file={options}", f"--datadir={data_dir}", "--validate-config"]

    def forget_identity(self, data_dir: Path) -> None:
        for pattern in _IDENTITY:
            for path in data_dir.glob(pattern):
                path.unlink()

    def first_statements(self, admin_password: str) -> Sequence[str]:
        secret = verifiers.caching_sha2(admin_password).hex()
        return [
            # Proxy rights would let a later 'root' be anybody.
            "DELETE FROM mysql.proxies_priv",
            "FLUSH PRIVILEGES",
            "DROP USER IF EXISTS 'root'@'localhost'",
            f"CREATE USER IF NOT EXISTS '{ADMIN}'@'localhost' IDENTIFIED WITH caching_sha2_password AS 0x{secret} "
            # Its own limit, because that of the configuration counts for administrators too.
            f"WITH MAX_USER_CONNECTIONS {ADMIN_CONNECTIONS}",
            f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'localhost' WITH GRANT OPTION",
        ]

    def credential(self, password: str) -> tuple[str, tuple[object, ...]]:
        # Hexadecimal digits only: nothing that a statement could take for something else.
        return f"IDENTIFIED WITH caching_sha2_password AS 0x{verifiers.caching_sha2(password).hex()}", ()

    def matches(self, account: Account, password: str) -> bool:
        return account.plugin == "caching_sha2_password" and verifiers.caching_sha2_matches(account.verifier, password)

    def accounts(self, connection: Any) -> list[Account]:
        return [
            Account(
                user=text(user),
                host=text(host),
                plugin=text(plugin),
                verifier=bytes.fromhex(text(verifier or "")),
                locked=bool(locked),
                is_role=bool(is_role),
                global_access=bool(global_access),
            )
            for user, host, plugin, verifier, locked, is_role, global_access in execute(connection, _ACCOUNTS)
        ]

    def root_grants(self) -> Sequence[str]:
        # Trove's own account and the engine's hold SYSTEM_USER, so CREATE USER does not reach them.
        return ["GRANT SHOW DATABASES, CREATE USER, CREATE ROLE, DROP ROLE ON *.*"]


def make_handler(environment: spi.GuestEnvironment) -> FamilyHandler:
    """Entry point of the group ``trove.datastores.guest``."""
    return FamilyHandler(environment, MySQLDialect())
