# SPDX-License-Identifier: Apache-2.0
"""List what the owner of the instance has: databases, users, who may use what, and whether root may log in.

Access is read from the real grant tables, not from what Trove once granted: an owner may change it by SQL, with
wildcards too.
"""

from collections import defaultdict
from typing import Any

from trove.datastores import spi
from trove.datastores.mysql_family import facts
from trove.datastores.mysql_family.guest import accounts
from trove.datastores.mysql_family.guest.connection import execute
from trove.datastores.mysql_family.guest.dialect import Dialect
from trove.wire import report

#: Bounds of :class:`trove.wire.report.Inventory`.
_MAX_ROWS = 10000
_MAX_DATABASES_OF_USER = 1000
#: The role that everybody has, from MariaDB 10.11 on.
_PUBLIC = "PUBLIC"


def read(connection: Any, dialect: Dialect) -> spi.InventorySnapshot:
    """Return everything the owner has.

    :raises pymysql.Error: when the server cannot be asked.
    """
    databases = [
        report.InventoryDatabase(
            name=accounts.text(name), character_set=accounts.text(charset), collate=accounts.text(collation)
        )
        for name, charset, collation in execute(
            connection,
            "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
            "ORDER BY SCHEMA_NAME",
        )
        if not dialect.family.is_reserved_database(accounts.text(name))
    ][:_MAX_ROWS]
    names = [item.name for item in databases]
    patterns: dict[tuple[str, str], set[str]] = defaultdict(set)
    for grant in accounts.grants(connection):
        patterns[(grant.user, grant.host.lower())].add(grant.pattern)
    everybody = _covered(patterns[(_PUBLIC, "")], names)
    users, root_enabled = [], False
    for account in dialect.accounts(connection):
        if account.user == facts.ROOT:
            root_enabled = root_enabled or not account.locked
        if account.is_role or not account.user or dialect.family.is_reserved_user(account.user):
            continue
        own = _covered(patterns[(account.user, account.host.lower())], names)
        accessible = names if account.global_access else sorted(own | everybody)
        users.append(
            report.InventoryUser(
                name=account.user, host=account.host, databases=list(accessible)[:_MAX_DATABASES_OF_USER]
            )
        )
    users.sort(key=lambda user: (user.name, user.host))
    return spi.InventorySnapshot(databases=tuple(databases), users=tuple(users[:_MAX_ROWS]), root_enabled=root_enabled)


def _covered(patterns: set[str], names: list[str]) -> set[str]:
    """Return which of ``names`` the patterns cover; a plain one is looked up, because there may be thousands."""
    known = set(names)
    covered: set[str] = set()
    for pattern in patterns:
        plain = pattern.replace("\\_", "_").replace("\\%", "%").replace("\\\\", "\\")
        if facts.escape_pattern(plain) == pattern:
            covered |= {plain} & known
        else:
            covered.update(name for name in names if facts.pattern_matches(pattern, name))
    return covered
