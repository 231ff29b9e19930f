# SPDX-License-Identifier: Apache-2.0
"""What both halves must know of the family, without any I/O: accounts and the names of users.

Source of the name rule: "Usernames can't contain spaces or null characters" (``ACLSetUser`` and ``ACLLoadFromFile`` in
acl.c). The rule here is wider, because a name is also a word in a file of lines and in a log: no white space of any
alphabet, no control or formatting characters. Names are compared byte by byte, so case matters.
"""

import unicodedata

PORT = 6379
#: Trove's own account; used over the private socket only.
ADMIN = "os_admin"
#: What ``root enable`` gives out.
ROOT = "root"
#: The account of a connection that has not said who it is. It is switched off from the first second.
DEFAULT = "default"
RESERVED_USERS = frozenset({ADMIN, ROOT, DEFAULT, "os_replication"})
#: The engine has no limit; the inventory of the control plane has one of 255 characters.
MAX_NAME_BYTES = 128
#: Unicode categories that no name may have: control, formatting, surrogates, separators of lines, paragraphs, words.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})


def is_reserved_user(name: str) -> bool:
    """Tell whether a user of this name belongs to the engine or to Trove."""
    return name in RESERVED_USERS


def name_problem(name: str) -> str | None:
    """Return why ``name`` cannot name a user, or ``None``. Quotes, semicolons, colons and ``#`` are legal."""
    if not name:
        return "the user name must not be empty"
    if any(char.isspace() or unicodedata.category(char) in _UNWANTED for char in name):
        return f"the user name {name!a} must not contain spaces or control characters"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"the user name '{name}' is longer than {MAX_NAME_BYTES} bytes"
    return None


def password_problem(password: str, name: str | None) -> str | None:
    """Return why ``password`` cannot be one, or ``None``; the text names the user, never the password.

    Only hashes are sent to the engine, so any characters would do; an empty one protects nothing.
    """
    whose = f"the password of user {name!a}" if name is not None else "the password"
    if not password:
        return f"{whose} must not be empty"
    if "\0" in password:
        return f"{whose} must not contain a NUL character"
    try:
        password.encode()
    except UnicodeEncodeError:
        return f"{whose} is not valid Unicode"
    return None
