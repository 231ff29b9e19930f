# SPDX-License-Identifier: Apache-2.0
"""The parameters of an engine that a configuration group may set, and what a value of each may be.

Data come from the ``parameters.yaml`` beside a plugin (:func:`load`), corrected by an operator's rules (:func:`merge`).
Everything else here is pure: :func:`check` says why a value cannot be set, :func:`canonical` spells a good one as the
engine does. Who may set a parameter, and where the values are kept, is left to others.

An integer with a unit may be given as a number of that unit, or as text with a unit of the same kind (``"64MB"``).
"""

import functools
import math
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

#: Longest text that a parameter may be set to, in characters.
LONGEST_TEXT = 4096

#: The four types that clients know, for each type in the data.
_PUBLIC_TYPE = {
    "integer": "integer",
    "size": "integer",
    "float": "float",
    "boolean": "boolean",
    "string": "string",
    "enum": "string",
    "octal": "string",
    "size-or-percent": "string",
}

_WORDS = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}
_BYTES = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_MICROSECONDS = {"us": 1, "ms": 10**3, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_SIZE_SUFFIX = {"": 1, "b": 1, "k": 1000, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
_MEASURE = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)", re.ASCII)


@dataclass(frozen=True)
class Parameter:
    """One parameter of one engine version.

    :ivar name: as the engine spells it.
    :ivar type: ``integer``, ``float``, ``boolean``, ``string``, ``enum``, ``octal``, ``size`` (bytes, or text with
        ``kb``, ``mb``, ``gb``) or ``size-or-percent``.
    :ivar unit: of a plain number and of the bounds: ``B``, ``kB``, ``8kB``, ``MB``, ``ms``, ``s``, ``min``; or none.
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

    @property
    def public_type(self) -> str:
        """The type in the words of API clients: ``integer``, ``float``, ``boolean`` or ``string``."""
        return _PUBLIC_TYPE.get(self.type, "string")


Parameters = Mapping[str, Parameter]


# -- the data ----------------------------------------------------------------------------------------------------------


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
    return next((parameter for known, parameter in parameters.items() if key(known) == wanted), None)


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


# -- values ------------------------------------------------------------------------------------------------------------


def check(parameter: Parameter, value: object) -> str | None:
    """Return why ``value`` cannot be set, in one sentence that says what can be; ``None`` when it can."""
    if parameter.protected:
        return f"{parameter.name} is managed by the service and cannot be set; leave it out."
    try:
        canonical(parameter, value)
    except ValueError as err:
        return f"{parameter.name} must be {err}."
    return None


def canonical(parameter: Parameter, value: object) -> Value:
    """Return the value as it is kept: truth as JSON has it, words of an enumeration as the engine spells them.

    :raises ValueError: saying what the parameter must be.
    """
    return _KINDS.get(parameter.type, _text)(parameter, value)


def judge(parameters: Parameters, values: Mapping[str, object]) -> tuple[dict[str, Value], list[str]]:
    """Return what can be kept of a group's values, under the engine's names, and every reason why some cannot."""
    kept: dict[str, Value] = {}
    reasons = []
    for name, value in values.items():
        parameter = find(parameters, name)
        if parameter is None:
            reasons.append(
                f"{name[:128]} is not a parameter of this datastore version; see the list of its parameters."
            )
        elif parameter.name in kept:
            reasons.append(f"{parameter.name} is given twice; give it once.")
        elif reason := check(parameter, value):
            reasons.append(reason)
        else:
            kept[parameter.name] = canonical(parameter, value)
    return kept, reasons


def _text(parameter: Parameter, value: object) -> str:
    if isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable():
        return value
    raise ValueError(f"text of at most {LONGEST_TEXT} printable characters on one line")


def _boolean(parameter: Parameter, value: object) -> bool:
    word = str(value).lower() if isinstance(value, bool | int | str) else ""
    if word in _WORDS:
        return _WORDS[word]
    raise ValueError("true or false")


def _enumerated(parameter: Parameter, value: object) -> str:
    given = str(value).lower() if isinstance(value, bool | int | str) else None
    for word in parameter.values:
        # A word such as "off" reads like a truth value, and users of JSON give one.
        if word.lower() == given or (isinstance(value, bool) and _WORDS.get(word.lower()) is value):
            return word
    raise ValueError("one of " + ", ".join(parameter.values))


def _octal(parameter: Parameter, value: object) -> str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if re.fullmatch(r"[0-7]{1,4}", text, re.ASCII):
        return text
    raise ValueError("octal digits, such as 0700")


def _integer(parameter: Parameter, value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and _within(parameter, value):
        return value
    if isinstance(value, str):
        measured = _measured(parameter.unit, value)
        if measured is not None and _within(parameter, measured):
            return value
    raise ValueError(_expected(parameter, "an integer"))


def _float(parameter: Parameter, value: object) -> float | str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value) and _within(parameter, value):
            return value
    elif isinstance(value, str):
        measured = _measured(parameter.unit, value)
        if measured is not None and _within(parameter, measured):
            return value
    raise ValueError(_expected(parameter, "a number"))


def _size(parameter: Parameter, value: object) -> int | str:
    # The suffixes of Redis: powers of two with a b, powers of ten without one.
    matched = re.fullmatch(r"([0-9]{1,20})([a-z]{0,2})", value.lower(), re.ASCII) if isinstance(value, str) else None
    if matched and matched[2] in _SIZE_SUFFIX and _within(parameter, int(matched[1]) * _SIZE_SUFFIX[matched[2]]):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and _within(parameter, value):
        return value
    raise ValueError(_expected(parameter, 'a number of bytes, or text such as "64mb"'))


def _size_or_percent(parameter: Parameter, value: object) -> int | str:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,3}%", value, re.ASCII) and int(value[:-1]) <= 100:
        return value
    try:
        return _size(parameter, value)
    except ValueError as err:
        raise ValueError(f'{err}, or a percentage such as "5%"') from err


_KINDS = {
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "enum": _enumerated,
    "octal": _octal,
    "size": _size,
    "size-or-percent": _size_or_percent,
}


def _within(parameter: Parameter, number: Number) -> bool:
    # No engine has parameters beyond 64 bits, and none could be sent to a guest.
    return -(2**63) <= number < 2**64 and not (
        (parameter.min is not None and number < parameter.min) or (parameter.max is not None and number > parameter.max)
    )


def _measured(unit: str | None, text: str) -> Number | None:
    """Return text with a unit as a number of ``unit``; ``None`` when it is not of the same kind."""
    matched = _MEASURE.fullmatch(text)
    base = re.fullmatch(r"([0-9]*)([A-Za-z]+)", unit or "")
    if matched is None or base is None or len(matched[1]) > 20:
        return None
    for scale in (_BYTES, _MICROSECONDS):
        if base[2] in scale and matched[2] in scale:
            return float(matched[1]) * scale[matched[2]] / (scale[base[2]] * int(base[1] or 1))
    return None


def _expected(parameter: Parameter, what: str) -> str:
    if parameter.unit and parameter.type in ("integer", "float"):
        example = "text with a unit of memory" if parameter.unit.endswith("B") else "text with a unit of time"
        what = f"{what} (unit {parameter.unit}) or {example}"
    if parameter.min is not None and parameter.max is not None:
        return f"{what} from {parameter.min} to {parameter.max}"
    if parameter.min is not None:
        return f"{what}, at least {parameter.min}"
    if parameter.max is not None:
        return f"{what}, at most {parameter.max}"
    return what
