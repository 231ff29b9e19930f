# SPDX-License-Identifier: Apache-2.0
"""What differs between engines with SQL in the one suite: their own names and their character sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Of one engine.

    :ivar charset: one that is not the default, as the engine reports it with the collation that comes with it.
    :ivar utf8: a Unicode one that can be asked for, with a collation, as asked and as reported.
    :ivar wrong_charset: one that the engine does not have.
    :ivar wrong_collation: one that looks right and is not there.
    """

    own_databases: Sequence[str]
    own_users: Sequence[str]
    charset: tuple[str, str, str]
    utf8: tuple[tuple[str, str], tuple[str, str]]
    wrong_charset: str
    wrong_collation: str


_POSTGRESQL = Words(
    own_databases=("postgres", "template1", "os_admin"),
    own_users=("postgres", "os_admin", "root", "pg_monitor", "trove:db:1"),
    charset=("latin1", "LATIN1", "C"),
    utf8=(("utf8", "C"), ("UTF8", "C")),
    wrong_charset="klingon",
    wrong_collation="xx_XX.UTF-8",
)
_MARIADB = Words(
    own_databases=("mysql", "information_schema", "performance_schema", "sys", "MySQL"),
    own_users=("os_admin", "root", "mariadb.sys", "Root"),
    charset=("latin1", "latin1", "latin1_swedish_ci"),
    utf8=(("utf8", "utf8_bin"), ("utf8mb3", "utf8mb3_bin")),
    wrong_charset="klingon",
    wrong_collation="utf8mb4_xx_XX",
)
_MYSQL = Words(
    own_databases=_MARIADB.own_databases,
    own_users=("os_admin", "root", "mysql.sys", "mysql.session", "mysql.infoschema", "Root"),
    charset=_MARIADB.charset,
    utf8=(("utf8mb4", "utf8mb4_bin"), ("utf8mb4", "utf8mb4_bin")),
    wrong_charset=_MARIADB.wrong_charset,
    wrong_collation=_MARIADB.wrong_collation,
)
WORDS: Mapping[str, Words] = {"postgresql": _POSTGRESQL, "mariadb": _MARIADB, "mysql": _MYSQL}
