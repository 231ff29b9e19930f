# SPDX-License-Identifier: Apache-2.0
"""What both halves must know of MySQL; sources as in :mod:`trove.datastores.mysql_family.facts`."""

import re

from trove.datastores.mysql_family import facts

FAMILY = facts.Family(
    name="mysql",
    title="MySQL",
    versions=("9.7", "9.6", "9.5", "9.4", "9.3", "9.2", "9.1", "9.0", "8.4", "8.0"),
    servers=("mysqld",),
    # Seen as "MySQL 9.7.4" and "ndb-9.7.4"; releases before wrote the bare number.
    banner=re.compile(rb"\0(?:MySQL |mysql-|ndb-)?([89]\.\d+\.\d+)(?:-[\w.+~-]+)?\0"),
    max_user_characters=32,
    min_ram_mib=512,
    reserved_users=frozenset(
        {
            facts.ADMIN,
            facts.ROOT,
            "mysql.sys",
            "mysql.session",
            "mysql.infoschema",
            "mysql",
            "debian-sys-maint",
            "system user",
            "event_scheduler",
        }
    ),
    reserved_databases=frozenset(
        {"mysql", "information_schema", "performance_schema", "sys", facts.ADMIN, "lost+found", "ndbinfo"}
    ),
)
