# SPDX-License-Identifier: Apache-2.0
"""What accounts may do, and how the access list says it. Pure.

A tenant has the server to itself, so its users read and write everything in it. They get no administration (`@admin`)
and nothing that the engine itself calls dangerous, except what acts on their own data only. Rules are written so that a
command that a later version adds to a dangerous category is not given by itself.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trove.datastores.redis_family import facts

#: Everything on all keys and channels, without what the engine calls administration or dangerous.
_COMMON = ("~*", "&*", "+@all", "-@admin", "-@dangerous")
#: In ``@dangerous`` because they are slow or act on all data, which here is the tenant's own.
_OWN_DATA = ("+info", "+keys", "+sort", "+sort_ro", "+flushdb", "+flushall")
USER_RULES = (*_COMMON, *_OWN_DATA)

#: Root also looks into the server and at its clients. It gets no MODULE and DEBUG (code in the server), CONFIG SET
#: (``dir``, ``dbfilename``: files of the machine), SHUTDOWN, REPLICAOF, MIGRATE, SYNC and FAILOVER (other machines;
#: data leaving or being overwritten), ACL SETUSER (Trove's own account) and CLIENT PAUSE (which would stop Trove too).
ROOT_RULES = (
    *_COMMON,
    *_OWN_DATA,
    "+swapdb",
    "+restore",
    "+bgrewriteaof",
    "+lastsave",
    "+role",
    "+monitor",
    "+slowlog",
    "+latency",
    "+config|resetstat",
    "+client|list",
    "+client|kill",
    "+client|unblock",
    "+client|no-evict",
    "+module|list",
)


@dataclass(frozen=True)
class Entry:
    """One user of the access list: ``rules`` are the words behind the name, as ``ACL SETUSER`` takes them."""

    name: str
    rules: Sequence[str]

    @property
    def enabled(self) -> bool:
        """Whether the account may log in."""
        return "on" in self.rules

    @property
    def hashes(self) -> frozenset[str]:
        """The hashes of its passwords."""
        return frozenset(rule[1:] for rule in self.rules if rule.startswith("#"))


def parse(lines: Iterable[str]) -> Mapping[str, Entry]:
    """Return the users of ``ACL LIST`` by name; lines that are none are left out."""
    found = {}
    for line in lines:
        words = line.split(" ")
        if len(words) > 1 and words[0] == "user":
            found[words[1]] = Entry(words[1], tuple(words[2:]))
    return found


def set_user(name: str, rules: Sequence[str], hashes: Iterable[str]) -> tuple[str, ...]:
    """Return the command that makes ``name`` exactly this, whatever it was before."""
    return ("ACL", "SETUSER", name, "reset", "on", *(f"#{item}" for item in sorted(hashes)), *rules)


def restore_user(entry: Entry) -> tuple[str, ...]:
    """Return the command that makes a user what it was when ``entry`` was read."""
    return ("ACL", "SETUSER", entry.name, "reset", *entry.rules)


def password_hash(password: str) -> str:
    """Return the hash by which the access list knows a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def secured(text: str, admin_password: str) -> str:
    """Return the text of an access list in which the default account is off and Trove's own has its password.

    Of ``text``, which may be empty or damaged, every other user is kept. It is ``text`` itself when nothing is missing.
    """
    closed = f"user {facts.DEFAULT} off"
    admin = f"user {facts.ADMIN} on"
    lines = [line for line in text.splitlines() if line.strip()]
    accounts = [line for line in lines if line.startswith(f"user {facts.DEFAULT} ")]
    trusted = [line for line in lines if line.startswith(f"user {facts.ADMIN} ")]
    if (
        text.endswith("\n")
        and len(accounts) == 1
        and accounts[0].startswith(f"{closed} ")
        and "nopass" not in accounts[0]
        and len(trusted) == 1
        and trusted[0].startswith(f"{admin} ")
        and f"#{password_hash(admin_password)}" in trusted[0].split(" ")
    ):
        return text
    others = [line for line in lines if line.startswith("user ") and line not in accounts and line not in trusted]
    own = [f"{closed} resetpass resetkeys resetchannels -@all", f"{admin} #{password_hash(admin_password)} ~* &* +@all"]
    return "\n".join([*own, *others]) + "\n"
