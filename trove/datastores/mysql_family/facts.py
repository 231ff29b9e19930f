# SPDX-License-Identifier: Apache-2.0
"""What both halves must know of MariaDB and MySQL, without any I/O: names, hosts, character sets, versions.

Sources: MySQL manual, "Schema Object Names" and "Identifier Length Limits" (64 characters, none beyond U+FFFF, no blank
at the end), "Mapping of Identifiers to File Names", "Specifying Account Names", "Character Sets"; MariaDB knowledge
base, "Identifier Names" and "CREATE USER".
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

PORT = 3306
#: The account of Trove itself; it can log in over the private socket only.
ADMIN = "os_admin"
#: Connections that it may have at once: more than the agent ever has.
ADMIN_CONNECTIONS = 20
#: What ``root enable`` gives out; see README.rst, "Root".
ROOT = "root"
ANY_HOST = "%"

MAX_DATABASE_CHARACTERS = 64
#: A database is a directory; file systems allow 255 bytes.
MAX_DIRECTORY_BYTES = 255
MAX_HOST_CHARACTERS = 60

#: ``#mysql50#`` in front of a name means the name of the directory, unencoded.
_RAW_PREFIX = "#mysql50#"
_HOST_PATTERN = re.compile(r"^[0-9%_]{1,3}(\.[0-9%_]{1,3}){0,3}$")
_OCTETS = tuple(map(str, range(256)))
_HOST_PATTERN_6 = re.compile(r"^[0-9a-fA-F:%_.]{2,45}$")


@dataclass(frozen=True)
class Family:
    """What tells the sisters apart before any server is asked.

    :ivar versions: major.minor, newest first.
    :ivar banner: what is in the server's program and holds its version.
    :ivar servers: names of the server's program, best first.
    :ivar max_user_characters: of an account's name, without the host.
    """

    name: str
    title: str
    versions: Sequence[str]
    servers: Sequence[str]
    banner: re.Pattern[bytes]
    max_user_characters: int
    min_ram_mib: int
    reserved_users: frozenset[str]
    reserved_databases: frozenset[str]

    def series(self, version: str) -> str | None:
        """Return the series (``10.11``) of a version, ``None`` for one this code does not know."""
        numbers = version_key(version)
        found = f"{numbers[0]}.{numbers[1]}" if len(numbers) > 1 else ""
        return found if found in self.versions else None

    def is_reserved_user(self, name: str) -> bool:
        """Tell whether an account of this name, at whatever host, belongs to the engine or to Trove."""
        return name.casefold() in self.reserved_users

    def is_reserved_database(self, name: str) -> bool:
        """Tell whether a database of this name belongs to the engine or to Trove."""
        return name.casefold() in self.reserved_databases

    def user_problem(self, name: str) -> str | None:
        """Return why ``name`` cannot name a user, or ``None``."""
        problem = _text_problem(name, "user")
        if problem is None and len(name) > self.max_user_characters:
            problem = f"the user name '{name}' is longer than {self.max_user_characters} characters"
        return problem


def _text_problem(name: str, what: str) -> str | None:
    """What is refused of any name. Quotes, semicolons and blanks within are legal: names are always sent quoted."""
    if not name:
        return f"the {what} name must not be empty"
    if "\0" in name:
        return f"the {what} name must not contain a NUL character"
    if any("\ud800" <= char <= "\udfff" for char in name):
        return f"the {what} name is not valid Unicode"
    if max(name) > "\uffff":
        return f"the {what} name must not contain characters beyond U+FFFF"
    if name != name.rstrip() or name != name.lstrip():
        # The engines compare names as if blanks at the end were not there.
        return f"the {what} name must not begin or end with white space"
    return None


def database_problem(name: str) -> str | None:
    """Return why ``name`` cannot name a database, or ``None``."""
    problem = _text_problem(name, "database")
    if problem is not None:
        return problem
    if len(name) > MAX_DATABASE_CHARACTERS:
        return f"the database name '{name}' is longer than {MAX_DATABASE_CHARACTERS} characters"
    if directory_bytes(name) > MAX_DIRECTORY_BYTES:
        return f"the database name '{name}' is too long with so many characters that are no letters or digits"
    if name.startswith(_RAW_PREFIX):
        return f"the database name must not begin with '{_RAW_PREFIX}'"
    return None


def directory_bytes(name: str) -> int:
    """Return an upper bound of the length of a database's directory: all but ASCII letters, digits and ``_`` takes up
    to five bytes (``@`` and four digits).
    """
    return sum(1 if char == "_" or (char.isascii() and char.isalnum()) else 5 for char in name)


def host_problem(host: str) -> str | None:
    """Return why ``host`` cannot be the host of a user, or ``None``.

    ``%``, an address, an IPv4 network with a netmask, or an address with ``%`` and ``_`` for what may differ. Names are
    refused, because the server does not look up clients' names: such a user could never log in.
    """
    if host == ANY_HOST or _is_address(host) or _is_network(host):
        return None
    wild = len(host) <= MAX_HOST_CHARACTERS and ("%" in host or "_" in host) and "%%" not in host
    if wild and (_covers_addresses(host) or (":" in host and _HOST_PATTERN_6.match(host))):
        return None
    return f"the host '{host}' is not '%', an address or a pattern of addresses (for example 10.0.0.% or ::1)"


def _covers_addresses(host: str) -> bool:
    """Tell whether an IPv4 address could match the pattern ``host``: each part is one of an address, and there are four
    of them, unless a ``%`` stands for several."""
    if not _HOST_PATTERN.match(host):
        return False
    parts = host.split(".")
    possible = all(any(pattern_matches(part, octet) for octet in _OCTETS) for part in parts)
    return possible and (len(parts) == 4 or "%" in host)


def _is_address(host: str) -> bool:
    try:
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _is_network(host: str) -> bool:
    address, slash, mask = host.partition("/")
    if not slash or "." not in mask:
        return False
    try:
        return bool(ipaddress.IPv4Network(f"{address}/{mask}"))
    except ValueError:
        return False


def escape_pattern(name: str) -> str:
    r"""Return the pattern that matches the database ``name`` only.

    In ``GRANT … ON name.*`` the name *is* a pattern: ``_`` and ``%`` are wildcards. Access to ``a_b`` given without a
    backslash would be access to ``axb`` too.
    """
    return re.sub(r"([\\_%])", r"\\\1", name)


def pattern_matches(pattern: str, name: str) -> bool:
    r"""Tell whether a pattern of the grant tables covers a database; ``\`` makes the next character plain.

    A pattern is whatever a tenant has granted. As a regular expression, thirty ``%`` would take until the end of time
    to find no match; but only the last ``%`` that was met ever needs to take more, so this takes at most the product of
    the lengths.
    """
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    at = start = 0  # in parts, in name
    wild, resumed = -1, 0  # behind the last %, and where in name what follows it was tried
    while start < len(name):
        if at < len(parts) and parts[at] == "%":
            at, wild, resumed = at + 1, at + 1, start
        elif at < len(parts) and (parts[at] == "_" or parts[at][-1] == name[start]):
            at, start = at + 1, start + 1
        elif wild >= 0:
            resumed += 1
            at, start = wild, resumed
        else:
            return False
    return all(part == "%" for part in parts[at:])


def version_key(version: str) -> tuple[int, ...]:
    """Return a key that sorts versions by age: 10.6.9 before 10.11.2."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
