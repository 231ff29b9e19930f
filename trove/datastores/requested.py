# SPDX-License-Identifier: Apache-2.0
"""What every engine refuses in a request alike: names given twice, impossible passwords, sizes that are too small.

For the control-plane halves. Each function returns reasons for the user, an empty list when there is nothing to say.
Pure.
"""

from collections.abc import Sequence


def repeated(names: Sequence[str], what: str) -> list[str]:
    """Refuse names that are given more than once.

    >>> repeated(["a", "b", "a", "a"], "user")
    ["the user 'a' is given more than once"]
    """
    several = dict.fromkeys(name for number, name in enumerate(names) if name in names[:number])
    return [f"the {what} '{name}' is given more than once" for name in several]


def password(text: str, user: str | None) -> list[str]:
    """Refuse a password that no engine takes; the reasons name the user, never the password."""
    whose = f"the password of user '{user}'" if user is not None else "the password"
    if not text:
        return [f"{whose} must not be empty"]
    if "\0" in text:
        return [f"{whose} must not contain a NUL character"]
    try:
        text.encode()
    except UnicodeEncodeError:
        return [f"{whose} is not valid Unicode"]
    return []


def size(title: str, min_ram_mib: int, ram_mib: int, volume_gib: int) -> list[str]:
    """Refuse a shape with less memory than the engine ``title`` needs, or an impossible volume."""
    reasons = []
    if ram_mib < min_ram_mib:
        reasons.append(f"{title} needs a flavor with {min_ram_mib} MiB of memory or more, this one has {ram_mib}")
    if volume_gib < 0:
        reasons.append("the volume size must not be negative")
    return reasons
