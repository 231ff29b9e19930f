# SPDX-License-Identifier: Apache-2.0
"""The parameters of an engine that a configuration group may set.

Data come from the ``parameters.yaml`` beside a plugin (:func:`load`), corrected by an operator's rules (:func:`merge`).
Whether a value is a good one says :mod:`trove.datastores.parameter_values`; who may set a parameter, and where the
values are kept, is left to others.
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from trove.domain.parameter_rule import Rule

#: What a value can be, as JSON has it.
Value = str | int | float | bool
Number = int | float

#: The four types that clients know, for each type in the data.
_PUBLIC_TYPE = {
    "integer": "integer",
    "size": "integer",
    "suffixed": "integer",
    "float": "float",
    "boolean": "boolean",
    "string": "string",
    "enum": "string",
    "octal": "string",
    "time-zone": "string",
    "buffer-limits": "string",
    "size-or-percent": "string",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of one engine version.

    :ivar name: as the engine spells it.
    :ivar type: ``integer``, ``float``, ``boolean``, ``string``, ``enum``, ``octal``, ``size`` (bytes, or text with
        ``kb``, ``mb``, ``gb``), ``size-or-percent``, ``suffixed`` (an integer, or text with ``K``, ``M``, ``G`` as
        MySQL takes it), ``time-zone`` (of MySQL) or ``buffer-limits`` (of Redis).
    :ivar unit: of a plain number and of the bounds: ``B``, ``kB``, ``8kB``, ``MB``, ``ms``, ``s``, ``min``; or none.
    :ivar floor: the smallest value but 0, where 0 switches a limit off: with a smaller one the service's own sessions
        could not do their work.
    :ivar aliases: other names that users know it by.
    :ivar values: all that an enumeration may be.
    :ivar restart: whether a running engine needs a restart to take a new value over.
    :ivar default: the engine's own value, as the newest of its versions that were asked prints it; ``None`` when
        unknown.
    :ivar protected: the service itself depends on it, so that no group may set it.
    """

    name: str
    type: str
    unit: str | None = None
    min: Number | None = None
    max: Number | None = None
    values: tuple[str, ...] = ()
    restart: bool = False
    default: str | None = None
    protected: bool = False
    floor: Number | None = None
    aliases: tuple[str, ...] = ()

    @property
    def public_type(self) -> str:
        """The type in the words of API clients: ``integer``, ``float``, ``boolean`` or ``string``."""
        return _PUBLIC_TYPE.get(self.type, "string")


Parameters = Mapping[str, Parameter]


def load(path: Path, version: str, protected: Collection[str] = ()) -> Parameters:
    """Return the parameters of an engine version, by name, in the order of their names.

    :param path: a ``parameters.yaml``; it is read once in the life of the process.
    :param version: ``17.12``, a series such as ``17``, which has what any of its releases has, or a word, which has
        every parameter that any version has.
    :param protected: names of those that the service itself depends on.
    """
    kept = {key(name) for name in protected}
    return {
        name: _parameter(name, known, key(name) in kept)
        for name, known in sorted(_read(path).items())
        if _has(version, known.get("since"), known.get("until"))
    }


@functools.cache
def _read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _parameter(name: str, known: Mapping[str, Any], protected: bool) -> Parameter:
    default = known.get("default")
    return Parameter(
        name=name,
        type=known["type"],
        unit=known.get("unit"),
        min=known.get("min"),
        max=known.get("max"),
        values=tuple(str(value) for value in known.get("values", ())),
        restart=known["restart"],
        default=None if default is None else str(default),
        protected=protected or bool(known.get("protected")),
        aliases=tuple(known.get("aliases", ())),
    )


def _has(version: str, since: str | None, until: str | None) -> bool:
    # As far as both go: a version that only names its series has what any of its releases has.
    numbers = _numbers(version)
    if not numbers:
        return True
    first, last = _numbers(str(since or "")), _numbers(str(until or ""))
    return numbers[: len(first)] >= first[: len(numbers)] and (not last or numbers[: len(last)] <= last)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"[0-9]+", version)] if version[:1].isdigit() else []


def key(name: str) -> str:
    """Return what names are compared by: engines do not tell case, and some not ``-`` from ``_``."""
    return name.lower().replace("-", "_")


def find(parameters: Parameters, name: str) -> Parameter | None:
    """Return the parameter that a user means by ``name``."""
    exact = parameters.get(name)
    if exact is not None:
        return exact
    wanted = key(name)
    return next(
        (parameter for known, parameter in parameters.items() if wanted in map(key, (known, *parameter.aliases))), None
    )


def merge(parameters: Parameters, rules: Iterable[Rule]) -> Parameters:
    """Return the parameters as an operator's rules correct them, in the order of their names.

    A rule for a known parameter changes its bounds and whether it needs a restart. It changes the type only if it names
    another one than clients see, so that an enumeration stays one. A protected parameter stays protected.
    """
    merged = dict(parameters)
    names = {key(name): name for name in merged}
    for rule in rules:
        known = merged.pop(names.get(key(rule.name), rule.name), None)
        if known is not None and known.protected:
            merged[known.name] = known
        elif not rule.hidden:
            changed = _corrected(known, rule)
            merged[changed.name] = changed
    return dict(sorted(merged.items()))


def _corrected(known: Parameter | None, rule: Rule) -> Parameter:
    if known is None:
        return Parameter(name=rule.name, type=rule.type, min=rule.min, max=rule.max, restart=rule.restart)
    if known.public_type == rule.type:
        low = known.min if rule.min is None else rule.min
        high = known.max if rule.max is None else rule.max
        return replace(known, min=low, max=high, restart=rule.restart)
    return replace(known, type=rule.type, unit=None, values=(), min=rule.min, max=rule.max, restart=rule.restart)
