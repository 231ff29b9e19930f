# SPDX-License-Identifier: Apache-2.0
"""What guests state that they understand: kept as they state it, and compared with what is to be sent when it is sent.

An agent outlives many releases of the control plane, and says what it knows only when it starts. What the control plane
of that day did not know is kept as well, so that the next release can use it at once.
"""

from collections.abc import Mapping

from trove.wire import base, command

#: Characters of names and versions that are kept of one guest, of those that this release does not know.
_MAX_UNKNOWN = 8000


def keep(commands: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Return what is to be stored of ``{name: [versions]}`` as a guest states it: all that this release knows, and of
    the rest, in order of the names, as much as has a place."""
    known: dict[str, list[int]] = {}
    for name, version in sorted(command.COMMANDS):
        if version in commands.get(name, ()):
            known.setdefault(name, []).append(version)
    kept, room = dict(known), _MAX_UNKNOWN
    for name in sorted(commands):
        other = sorted(set(commands[name]) - set(known.get(name, ())))
        room -= len(name) + sum(len(str(version)) + 1 for version in other)
        if room < 0:
            break
        if other:
            kept[name] = sorted([*known.get(name, ()), *other])
    return kept


def speaks(protocol_min: int, protocol_max: int) -> bool:
    """Tell whether a guest that knows protocol versions ``protocol_min`` to ``protocol_max`` and this code have one in
    common."""
    return protocol_min <= base.PROTOCOL_MAX and protocol_max >= base.PROTOCOL_MIN


def understands(
    commands: Mapping[str, list[int]], protocol: tuple[int, int], name: str, version: int, *, in_term: bool = False
) -> bool:
    """Tell whether a guest carries out version ``version`` of the command ``name``.

    :param commands: as the guest states them.
    :param protocol: lowest and highest version of the protocol that the guest knows.
    :param in_term: whether the command depends on the term of a set, which an older guest would not heed.
    """
    if not speaks(*protocol) or (in_term and protocol[1] < base.TERMS_PROTOCOL):
        return False
    return version in commands.get(name, ())
