# SPDX-License-Identifier: Apache-2.0
"""The guest half of MariaDB: its dialect, and the entry point.

Passwords are stored by ``mysql_native_password``, which every client speaks; MariaDB's better plugin, ``ed25519``, is
missing from most drivers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trove.datastores import spi
from trove.datastores.mariadb import config as mariadb_config
from trove.datastores.mariadb import facts
from trove.datastores.mysql_family import config
from trove.datastores.mysql_family.facts import ADMIN
from trove.datastores.mysql_family.guest import verifiers
from trove.datastores.mysql_family.guest.accounts import text
from trove.datastores.mysql_family.guest.connection import execute
from trove.datastores.mysql_family.guest.dialect import Account
from trove.datastores.mysql_family.guest.handler import FamilyHandler

#: Only for initialising: nothing of it needs to be on the disk before all of it is, and a small redo log makes a small
#: template; the server resizes it at its first start.
_INITIALISE = (
    "--force",  # do not look up the host's name, which may wait for a name server
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    "--skip-name-resolve",
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-log-file-size=4M",
)
#: Limits that only MariaDB has.
_SESSION = {
    "max_statement_time": "0",
    "idle_transaction_timeout": "0",
    "idle_readonly_transaction_timeout": "0",
    "idle_write_transaction_timeout": "0",
    "max_session_mem_used": "9223372036854775807",
    "tmp_disk_table_size": "18446744073709551615",
}
_ACCOUNTS = """
SELECT u.User, u.Host, u.plugin, u.authentication_string, u.is_role = 'Y', u.Select_priv = 'Y',
  coalesce(json_value(p.Priv, '$.account_locked'), 'false') IN ('1', 'true')
FROM mysql.user u JOIN mysql.global_priv p ON p.User = u.User AND p.Host = u.Host
"""


class MariaDBDialect:
    """Implements :class:`trove.datastores.mysql_family.guest.dialect.Dialect`."""

    family = facts.FAMILY

    def settings(self, settings: config.Settings, version: str) -> Mapping[str, str]:
        return mariadb_config.variables(settings)

    def dynamic(self, settings: config.Settings, version: str) -> Mapping[str, int]:
        return mariadb_config.dynamic(settings, version)

    def session_settings(self) -> Mapping[str, str]:
        return _SESSION

    def initialise_argv(self, home: Path, server: Path, target: Path) -> Sequence[str]:
        program = home / "bin" / "mariadb-install-db"
        return [str(program), "--no-defaults", f"--basedir={home}", f"--datadir={target}", *_INITIALISE]

    def check_argv(self, server: Path, options: Path, data_dir: Path) -> Sequence[str]:
        # It has no option for this; but before it shows the values of all options, it reads them.
        return [str(server), f"--defaults-file={options}", f"--datadir={data_dir}", "--verbose", "--help"]

    def forget_identity(self, data_dir: Path) -> None:
        # The id of Aria's log only has to fit the files beside it, and TLS keys are made in memory.
        (data_dir / "ib_buffer_pool").unlink(missing_ok=True)

    def first_statements(self, admin_password: str) -> Sequence[str]:
        secret = verifiers.native(admin_password)
        return [
            # mariadb.sys owns views of the engine; it is locked. Proxy rights would let a later 'root' be anybody.
            "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys'",
            "DELETE FROM mysql.proxies_priv",
            "DELETE FROM mysql.db",
            "FLUSH PRIVILEGES",
            f"CREATE USER '{ADMIN}'@'localhost' IDENTIFIED VIA mysql_native_password USING '{secret}'",
            f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'localhost' WITH GRANT OPTION",
        ]

    def credential(self, password: str) -> tuple[str, tuple[object, ...]]:
        return "IDENTIFIED VIA mysql_native_password USING %s", (verifiers.native(password),)

    def matches(self, account: Account, password: str) -> bool:
        return account.plugin == "mysql_native_password" and verifiers.native_matches(
            account.verifier.decode(errors="replace"), password
        )

    def accounts(self, connection: Any) -> list[Account]:
        return [
            Account(
                user=text(user),
                host=text(host),
                plugin=text(plugin),
                verifier=text(verifier or "").encode(),
                is_role=bool(is_role),
                global_access=bool(global_access),
                locked=bool(locked),
            )
            for user, host, plugin, verifier, is_role, global_access, locked in execute(connection, _ACCOUNTS)
        ]

    def root_grants(self) -> Sequence[str]:
        # Not CREATE USER: it would also change Trove's own account, which MariaDB cannot shield.
        return ["GRANT SHOW DATABASES ON *.*"]


def make_handler(environment: spi.GuestEnvironment) -> FamilyHandler:
    """Entry point of the group ``trove.datastores.guest``."""
    return FamilyHandler(environment, MariaDBDialect())
