# SPDX-License-Identifier: Apache-2.0
"""What both halves must know of PostgreSQL, without any I/O: names, encodings, versions.

Sources: PostgreSQL manual, "Lexical Structure" (a name has at most NAMEDATALEN-1 = 63 bytes), "CREATE ROLE" (names
that begin with ``pg_`` and the words ``public`` and ``none`` are refused), "Character Set Support" (server encodings).
"""

import re
from collections.abc import Mapping

NAME = "postgresql"
PORT = 5432
#: The superuser of Trove itself; it can log in over the private socket only.
ADMIN = "os_admin"
#: What ``root enable`` gives out; no superuser.
ROOT = "root"
#: Major versions this code knows.
VERSIONS = ("18", "17", "16", "15", "14", "13")

MAX_NAME_BYTES = 63
#: Each database has one group role, ``trove:db:<oid of the database>``; see README.rst, "Access".
GROUP_PREFIX = "trove:"
RESERVED_USERS = frozenset({ADMIN, ROOT, "postgres", "replication", "os_replication", "public", "none"})
RESERVED_USER_PREFIXES = ("pg_", GROUP_PREFIX)
RESERVED_DATABASES = frozenset({ADMIN, "postgres", "template0", "template1"})

SERVER_ENCODINGS = (
    "EUC_CN", "EUC_JP", "EUC_JIS_2004", "EUC_KR", "EUC_TW", "ISO_8859_5", "ISO_8859_6", "ISO_8859_7", "ISO_8859_8",
    "KOI8R", "KOI8U", "LATIN1", "LATIN2", "LATIN3", "LATIN4", "LATIN5", "LATIN6", "LATIN7", "LATIN8", "LATIN9",
    "LATIN10", "MULE_INTERNAL", "SQL_ASCII", "UTF8", "WIN866", "WIN874", "WIN1250", "WIN1251", "WIN1252", "WIN1253",
    "WIN1254", "WIN1255", "WIN1256", "WIN1257", "WIN1258",
)  # fmt: skip
_ALIASES = {
    "unicode": "UTF8", "koi8": "KOI8R", "alt": "WIN866", "win": "WIN1251", "abc": "WIN1258", "tcvn": "WIN1258",
    "tcvn5712": "WIN1258", "vscii": "WIN1258", "iso88591": "LATIN1", "iso88592": "LATIN2", "iso88593": "LATIN3",
    "iso88594": "LATIN4", "iso88599": "LATIN5", "iso885910": "LATIN6", "iso885913": "LATIN7", "iso885914": "LATIN8",
    "iso885915": "LATIN9", "iso885916": "LATIN10",
}  # fmt: skip
#: The names of locales that operating systems give: ``C``, ``POSIX``, ``C.UTF-8``, ``de_DE.UTF-8@euro``.
_LOCALE = re.compile(r"(?:C|POSIX|[a-z]{2,3}_[A-Z]{2})(?:\.([A-Za-z0-9_-]{1,20}))?(?:@[a-z0-9]{1,20})?", re.ASCII)
#: The default pairs of MySQL and MariaDB, which clients send without being asked to.
_MYSQL_CHARACTER_SETS = frozenset({"utf8mb3", "utf8mb4"})
_MYSQL_COLLATIONS = frozenset(
    {
        "utf8_general_ci",
        "utf8mb3_general_ci",
        "utf8mb4_general_ci",
        "utf8mb4_0900_ai_ci",
        "utf8mb4_uca1400_ai_ci",
        "utf8mb3_uca1400_ai_ci",
    }
)


def _fold(encoding: str) -> str:
    """Reduce an encoding's name as PostgreSQL does before it compares: letters and digits only, lower case."""
    return re.sub(r"[^a-z0-9]", "", encoding.lower())


_ENCODINGS: Mapping[str, str] = {**{_fold(name): name for name in SERVER_ENCODINGS}, **_ALIASES}


def canonical_encoding(name: str) -> str | None:
    """Return PostgreSQL's own word for a server encoding (``utf-8`` is ``UTF8``), or ``None`` for one it does not
    have.
    """
    return _ENCODINGS.get(_fold(name))


def meant(encoding: str | None, collation: str | None) -> tuple[str | None, str | None]:
    """Return what a request for a database means by its character set and collation; ``None`` is the default.

    >>> meant("utf8mb4", "utf8mb4_general_ci"), meant("latin1", "utf8_general_ci")
    ((None, None), ('latin1', None))
    """
    if encoding is not None and encoding.lower() in _MYSQL_CHARACTER_SETS:
        encoding = None
    if collation is not None and collation.lower() in _MYSQL_COLLATIONS:
        collation = None
    return encoding or None, collation or None


def encoding_reasons(encoding: str | None, collation: str | None) -> list[str]:
    """Return every reason why a database cannot have these, with what is possible.

    Whether a locale is installed, only the server knows.
    """
    encoding, collation = meant(encoding, collation)
    canonical = canonical_encoding(encoding or "UTF8")
    reasons = []
    if canonical is None:
        reasons.append(f"PostgreSQL has no character set '{encoding}'; possible are {', '.join(SERVER_ENCODINGS)}")
    found = _LOCALE.fullmatch(collation or "C")
    if found is None:
        reasons.append(
            f"PostgreSQL has no collation '{collation}'; possible are C, POSIX, C.UTF-8 and the locales of its "
            "operating system, such as de_DE.UTF-8"
        )
    elif canonical not in (None, "SQL_ASCII") and canonical_encoding(found[1] or "") not in (canonical, None):
        reasons.append(
            f"the collation '{collation}' does not go with the character set {canonical}; possible are C, POSIX and "
            f"locales of {canonical}"
        )
    return reasons


def is_reserved_user(name: str) -> bool:
    """Tell whether a role of this name belongs to PostgreSQL or to Trove. PostgreSQL compares case-sensitively, and
    so do we.
    """
    return name in RESERVED_USERS or name.startswith(RESERVED_USER_PREFIXES)


def is_reserved_database(name: str) -> bool:
    """Tell whether a database of this name belongs to PostgreSQL or to Trove."""
    return name in RESERVED_DATABASES


def name_problem(name: str, what: str) -> str | None:
    """Return why ``name`` cannot name a ``what`` (``database``, ``user``), or ``None``.

    Quotes, semicolons, blanks and any other Unicode are legal: names are always sent quoted.
    """
    if not name:
        return f"the {what} name must not be empty"
    if "\0" in name:
        return f"the {what} name must not contain a NUL character"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return f"the {what} name is not valid Unicode"
    if size > MAX_NAME_BYTES:
        return f"the {what} name '{name}' is longer than {MAX_NAME_BYTES} bytes"
    return None


def major(version: str) -> int:
    """Return the major version of ``15.18``, ``18beta1`` or ``16``.

    :raises ValueError: when ``version`` does not begin with a number.
    """
    match = re.match(r"\d+", version)
    if match is None:
        raise ValueError(f"'{version}' is not a PostgreSQL version")
    return int(match.group())


def version_key(version: str) -> tuple[int, ...]:
    """Return a key that sorts versions by age: 9.6 before 15.2 before 15.18."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
