# SPDX-License-Identifier: Apache-2.0
"""What a value of a parameter may be: :func:`check` says why one cannot be set, :func:`canonical` spells a good one as
it is kept, :func:`judge` does both for the values of a whole group. Pure.

Clients say one thing in many ways, and all that an engine itself would understand count: truth in any of its spellings,
words of an enumeration in any case, numbers as text, sizes with the suffixes of the engine. An integer with a unit may
be given as a number of that unit, or as text with a unit of the same kind (``"64MB"``).
"""

import math
import re
from collections.abc import Mapping

from trove.datastores.parameters import Number, Parameter, Parameters, Value, find

#: Longest text that a parameter may be set to, in characters.
LONGEST_TEXT = 4096

_TRUE, _FALSE = ("on", "yes", "y", "true", "t", "1"), ("off", "no", "n", "false", "f", "0")
_WORDS = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
_BYTES = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_MICROSECONDS = {"us": 1, "ms": 10**3, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_SIZE_SUFFIX = {"": 1, "b": 1, "k": 1000, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
#: The suffixes of MySQL and MariaDB, for numbers of anything (MySQL manual, "Using Options to Set Program Variables").
_SUFFIXES = {"": 1, **{letter: 2 ** (10 * (power + 1)) for power, letter in enumerate("kmgtpe")}}
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_FLOAT = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
#: A distance from UTC, or a name; whether the engine has a name only its own tables say.
_DISTANCE = re.compile(r"([+-])([0-9]{1,2}):([0-9]{2})", re.ASCII)
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", re.ASCII)
#: Classes of clients as Redis and Valkey have them.
_CLIENT_CLASSES = ("normal", "replica", "slave", "pubsub")
_MEASURE = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)", re.ASCII)


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
        if word.lower() == given:
            return word
    for word in parameter.values:
        # A word such as "off" reads like a truth value, and so users give one, in any of its spellings.
        if given in _WORDS and _WORDS.get(word.lower()) is _WORDS[given]:
            return word
    raise ValueError("one of " + ", ".join(parameter.values))


def _octal(parameter: Parameter, value: object) -> str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if re.fullmatch(r"[0-7]{1,4}", text, re.ASCII):
        return text
    raise ValueError("octal digits, such as 0700")


def _integer(parameter: Parameter, value: object) -> int | str:
    number = _whole(value)
    if number is not None and _within(parameter, number):
        return number
    if number is None and isinstance(value, str):
        measured = _measured(parameter.unit, value)
        if measured is not None and _within(parameter, measured):
            return value
    raise ValueError(_expected(parameter, "an integer"))


def _suffixed(parameter: Parameter, value: object) -> int:
    number = _whole(value)
    if number is None and isinstance(value, str) and (digits := _INTEGER.fullmatch(value[:-1])):
        factor = _SUFFIXES.get(value[-1].lower())
        number = None if factor is None else int(digits[0]) * factor
    if number is not None and _within(parameter, number):
        return number
    raise ValueError(_expected(parameter, 'an integer, or text such as "128M"'))


def _float(parameter: Parameter, value: object) -> float | str:
    number: Number | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _FLOAT.fullmatch(value):
        number = float(value)
    if number is not None:
        if math.isfinite(number) and _within(parameter, number):
            return number
    elif isinstance(value, str):
        measured = _measured(parameter.unit, value)
        if measured is not None and _within(parameter, measured):
            return value
    raise ValueError(_expected(parameter, "a number"))


def _whole(value: object) -> int | None:
    """Return a whole number, also one given as text; ``None`` for anything else."""
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _size(parameter: Parameter, value: object) -> int | str:
    number = _whole(value)
    if number is not None and _within(parameter, number):
        return number
    if number is None and isinstance(value, str):
        number = _bytes(value)
        if number is not None and _within(parameter, number):
            return value
    raise ValueError(_expected(parameter, 'a number of bytes, or text such as "64mb"'))


def _bytes(text: str) -> int | None:
    # The suffixes of Redis: powers of two with a b, powers of ten without one.
    matched = re.fullmatch(r"([0-9]{1,20})([a-z]{0,2})", text.lower(), re.ASCII)
    return int(matched[1]) * _SIZE_SUFFIX[matched[2]] if matched and matched[2] in _SIZE_SUFFIX else None


def _size_or_percent(parameter: Parameter, value: object) -> int | str:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,3}%", value, re.ASCII) and int(value[:-1]) <= 100:
        return value
    try:
        return _size(parameter, value)
    except ValueError as err:
        raise ValueError(f'{err}, or a percentage such as "5%"') from err


def _time_zone(parameter: Parameter, value: object) -> str:
    text = value if isinstance(value, str) else ""
    if text.upper() in ("SYSTEM", "UTC"):
        # Without tables of names no server knows UTC by its own.
        return "SYSTEM" if text.upper() == "SYSTEM" else "+00:00"
    distance = _DISTANCE.fullmatch(text)
    if distance is not None and int(distance[3]) < 60:
        minutes = int(distance[2]) * 60 + int(distance[3])
        if minutes <= (14 * 60 if distance[1] == "+" else 13 * 60 + 59):
            return f"{distance[1]}{int(distance[2]):02}:{distance[3]}"
    elif _ZONE_NAME.fullmatch(text):
        return text
    raise ValueError('SYSTEM, a distance from UTC such as "+05:30", or the name of a time zone that the server has')


def _buffer_limits(parameter: Parameter, value: object) -> str:
    """``<class> <hard limit> <soft limit> <seconds>``, once or several times (redis.conf)."""
    words = value.split() if isinstance(value, str) else []
    fours = [words[start : start + 4] for start in range(0, len(words), 4)]
    if not fours or not all(_is_buffer_limit(parameter, *four) for four in fours if len(four) == 4) or len(words) % 4:
        raise ValueError(
            'groups of "CLASS HARD SOFT SECONDS", with a class of ' + ", ".join(_CLIENT_CLASSES)
            + f"; the limits of normal clients are 0 or at least {parameter.floor or 0} bytes"
        )  # fmt: skip
    return " ".join(words)


def _is_buffer_limit(parameter: Parameter, kind: str, hard: str, soft: str, seconds: str) -> bool:
    limits = [_bytes(hard), _bytes(soft)]
    if kind.lower() not in _CLIENT_CLASSES or None in limits or not re.fullmatch("[0-9]{1,9}", seconds, re.ASCII):
        return False
    return kind.lower() != "normal" or all(limit == 0 or (limit or 0) >= (parameter.floor or 0) for limit in limits)


_KINDS = {
    "integer": _integer,
    "suffixed": _suffixed,
    "time-zone": _time_zone,
    "buffer-limits": _buffer_limits,
    "float": _float,
    "boolean": _boolean,
    "enum": _enumerated,
    "octal": _octal,
    "size": _size,
    "size-or-percent": _size_or_percent,
}


def _within(parameter: Parameter, number: Number) -> bool:
    if parameter.floor is not None and 0 != number < parameter.floor:
        return False
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
    low = parameter.min
    if parameter.floor is not None:
        what = f"0, or {what}" if (low or 0) <= 0 else what
        low = parameter.floor
    if low is not None and parameter.max is not None:
        return f"{what} from {low} to {parameter.max}"
    if low is not None:
        return f"{what}, at least {low}"
    if parameter.max is not None:
        return f"{what}, at most {parameter.max}"
    return what
