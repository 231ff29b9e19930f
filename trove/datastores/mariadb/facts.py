# SPDX-License-Identifier: Apache-2.0
"""What both halves must know of MariaDB; sources as in :mod:`trove.datastores.mysql_family.facts`."""

import re

from trove.datastores.mysql_family import facts

FAMILY = facts.Family(
    name="mariadb",
    title="MariaDB",
    versions=("11.8", "11.4", "10.11", "10.6"),
    servers=("mariadbd", "mysqld"),
    # The text stands alone; the program also holds another version in the help for an option.
    banner=re.compile(rb"\0(\d+\.\d+\.\d+)-MariaDB[-\0]"),
    max_user_characters=80,
    min_ram_mib=256,
    reserved_users=frozenset(
        {
            facts.ADMIN,
            facts.ROOT,
            "mariadb.sys",
            "mysql",
            "public",
            "debian-sys-maint",
            "system user",
            "event_scheduler",
        }
    ),
    reserved_databases=frozenset(
        {"mysql", "information_schema", "performance_schema", "sys", facts.ADMIN, "lost+found"}
    ),
)
