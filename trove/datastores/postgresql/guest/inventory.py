# SPDX-License-Identifier: Apache-2.0
"""List what the owner of the instance has: databases, users, who may use what, and whether root may log in.

Access is read from the real grants (``CONNECT``, directly, through a role, or for everybody), not from what Trove once
granted: a superuser-like owner may change it by SQL. Names are fetched as bytes, because a name made inside a database
of another encoding need not be UTF-8, and one such name must not hide all others.
"""

from collections import defaultdict
from typing import Any

from trove.datastores import spi
from trove.datastores.postgresql import facts
from trove.datastores.postgresql.guest.access import execute
from trove.wire import report

#: Bounds of :class:`trove.wire.report.Inventory`.
_MAX_ROWS = 10000
_MAX_DATABASES_OF_USER = 1000

#: A closed database of Trove's superuser is one whose creation was interrupted; repeating the command completes it.
_DATABASES = """
SELECT oid, convert_to(datname::text, 'UTF8'), pg_encoding_to_char(encoding), datcollate FROM pg_database
WHERE NOT datname = ANY(%s) AND (datallowconn OR datdba <> (SELECT oid FROM pg_roles WHERE rolname = current_user))
ORDER BY datname LIMIT %s
"""
_USERS = """
SELECT oid, convert_to(rolname::text, 'UTF8') FROM pg_roles
WHERE rolcanlogin AND NOT rolname = ANY(%s) AND NOT starts_with(rolname, 'pg_') AND NOT starts_with(rolname, %s)
ORDER BY rolname LIMIT %s
"""
#: (user, database) for each CONNECT held directly, through one role, or by everybody (grantee 0).
_ACCESS = """
WITH granted AS (
  SELECT d.oid AS database, a.grantee FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
  WHERE a.privilege_type = 'CONNECT' AND d.datallowconn
)
SELECT DISTINCT r.oid, g.database FROM granted g
LEFT JOIN pg_auth_members m ON m.roleid = g.grantee
JOIN pg_roles r ON r.oid = g.grantee OR r.oid = m.member OR g.grantee = 0
WHERE r.rolcanlogin AND NOT r.rolsuper
"""


def read(connection: Any) -> spi.InventorySnapshot:
    """Return everything the owner has.

    :raises psycopg2.Error: when the server cannot be asked.
    """
    databases = {
        oid: report.InventoryDatabase(name=_text(name), character_set=encoding, collate=collation)
        for oid, name, encoding, collation in execute(
            connection, _DATABASES, values=(sorted(facts.RESERVED_DATABASES), _MAX_ROWS)
        )
    }
    accessible: dict[int, list[str]] = defaultdict(list)
    for user, database in execute(connection, _ACCESS):
        if database in databases:
            accessible[user].append(databases[database].name)
    users = [
        report.InventoryUser(name=_text(name), databases=sorted(accessible[oid])[:_MAX_DATABASES_OF_USER])
        for oid, name in execute(
            connection, _USERS, values=(sorted(facts.RESERVED_USERS), facts.GROUP_PREFIX, _MAX_ROWS)
        )
    ]
    root = execute(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin", values=(facts.ROOT,))
    return spi.InventorySnapshot(databases=tuple(databases.values()), users=tuple(users), root_enabled=bool(root))


def _text(name: bytes | memoryview) -> str:
    return bytes(name).decode(errors="replace")
