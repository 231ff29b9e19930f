# SPDX-License-Identifier: Apache-2.0
"""Keep secrets out of logs and error texts.

Three ways in: :func:`mask` copies a structure with the values of secret-looking keys replaced,
:class:`RedactingFilter` does the same to the arguments of log records, and :class:`RedactingFormatter` to the finished
line with its traceback. None is a licence to log passwords; they are the second line.
"""

import logging
import re
from typing import Any

MASK = "***"
_SECRET_KEY = re.compile(r"(passw|secret|token|credential|private|one_time_key|^kek$|(^|_)key$)", re.IGNORECASE)
_IN_TEXT = re.compile(
    # password=x, "password": "x y", 'one_time_key': 'x'
    r"""(?P<named>(?:passw\w*|\w*secret|\w*token|one_time_key|private_key)["']?\s*[:=]\s*)"""
    r"""(?:(?P<mark>["'])(?:\\.|(?!(?P=mark)).)*(?:(?P=mark)|$)|[^\s"',}&]+)"""
    # Authorization: Basic x
    r"""|(?P<header>authorization["']?\s*[:=]\s*["']?(?:\w+\s+)?)[^\s"',}]+"""
    # scheme://user:password@host
    r"""|(?P<url>\w+://[^:/\s]*:)[^@/\s]+(?=@)"""
    # SQL: PASSWORD 'it''s', IDENTIFIED BY "x"; an engine logs statements that failed.
    r"""|(?P<sql>(?:passw\w*|identified\s+by)\s+(?P<quote>["']))"""
    r""".*?(?:(?<!(?P=quote))(?P=quote)(?!(?P=quote))|$)""",
    re.IGNORECASE | re.MULTILINE,
)


def is_secret_key(key: str) -> bool:
    """Tell whether a value under ``key`` must not be shown."""
    return bool(_SECRET_KEY.search(key))


def mask(value: Any) -> Any:
    """Return a copy of ``value`` (dicts, lists, scalars) with every secret replaced by :data:`MASK`."""
    if isinstance(value, dict):
        return {k: MASK if isinstance(k, str) and is_secret_key(k) else mask(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    return value


def mask_text(text: str) -> str:
    """Return ``text`` with ``password=…``-like parts and passwords inside URLs, headers and SQL replaced."""
    return _IN_TEXT.sub(_replacement, text)


def _replacement(found: re.Match[str]) -> str:
    mark = found["mark"] or ""
    kept: str = found["named"] or found["header"] or found["url"] or found["sql"]
    return f"{kept}{mark}{MASK}{mark}"


class RedactingFilter(logging.Filter):
    """A logging filter that masks dict arguments and secret-looking text of each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict):
            record.args = mask(record.args)
        elif isinstance(record.args, tuple):
            record.args = tuple(mask(arg) if isinstance(arg, dict | list) else arg for arg in record.args)
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return True  # arguments that do not match: the handler says so
        # The finished text, not the format: masking "password=%s" would take the placeholder and miss the value.
        record.msg, record.args = mask_text(text), None
        return True


class RedactingFormatter(logging.Formatter):
    """Formats with another formatter and masks the outcome: that one may add a traceback, or a summary of an error
    that is being handled, which no filter sees.

    :param inner: ``None`` means Python's own.
    """

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return mask_text(self._inner.format(record))


def protect(handler: logging.Handler) -> None:
    """Have ``handler`` write nothing secret. Safe to repeat."""
    if not isinstance(handler.formatter, RedactingFormatter):
        handler.addFilter(RedactingFilter())
        handler.setFormatter(RedactingFormatter(handler.formatter))
