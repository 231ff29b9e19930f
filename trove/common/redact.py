# SPDX-License-Identifier: Apache-2.0
"""Keep secrets out of logs and error texts, and logs true to one record a line.

Three ways in: :func:`mask` copies a structure with the values of secret-looking keys replaced,
:class:`RedactingFilter` does the same to the arguments of log records, and :class:`RedactingFormatter` to the finished
line with its traceback. None is a licence to log passwords; they are the second line.

The formatter is also the one place that keeps others from writing log lines of their own. A record is one line, in
which line breaks and control characters are shown as escapes (:mod:`trove.common.printable`). Only a traceback takes
more, and each of its lines begins with :data:`CONTINUATION`, which no record does.

Much of what is logged was written by tenants, guests and engines. So the time for a text is proportional to its length,
and its length is bounded before anything is looked for in it.
"""

import logging
import re
from typing import Any

from trove.common import printable

MASK = "***"
#: Begins each further line of a record.
CONTINUATION = "  | "
#: Characters of one message, and of one traceback, that are logged.
MAX_MESSAGE = 16 * 1024
MAX_TRACEBACK = 64 * 1024
#: Characters that are looked at in any text.
MAX_TEXT = MAX_MESSAGE + MAX_TRACEBACK
#: Levels of a structure that are copied; what lies deeper is left out.
MAX_DEPTH = 20

_SECRET_KEY = re.compile(r"(passw|secret|token|credential|private|one_time_key|^kek$|(^|_)key$)", re.IGNORECASE)
# Linear in the length of the text. A word is looked at once, from its beginning, and no part can give back what it has
# taken: `\w*secret` would be tried from every letter of a long word, each time up to its end.
_IN_TEXT = re.compile(
    # password=x, "password": "x y", 'one_time_key': 'x'
    r"""(?P<named>(?<!\w)(?:(?=\w*?passw)\w++|"""
    r"""\w++(?:(?<=secret)|(?<=token)|(?<=one_time_key)|(?<=private_key)))["']?[ \t]*+[:=][ \t]*+)"""
    r"""(?:(?P<mark>["'])(?:\\.|(?!(?P=mark)).)*+(?:(?P=mark)|$)|(?P<plain>[^\s"',}&]++))"""
    # Authorization: Basic x
    r"""|(?P<header>authorization["']?[ \t]*+[:=][ \t]*+["']?(?:\w++[ \t]++)?)[^\s"',}]++"""
    # scheme://user:password@host
    r"""|(?P<url>(?<!\w)\w++://[^:/\s]*+:)[^@/\s]++(?=@)"""
    # SQL: PASSWORD 'it''s', IDENTIFIED BY "x"; an engine logs statements that failed.
    r"""|(?P<sql>(?:(?<!\w)(?=\w*?passw)\w++|identified\s++by)\s++(?P<quote>["']))"""
    r""".*?(?:(?<!(?P=quote))(?P=quote)(?!(?P=quote))|$)""",
    re.IGNORECASE | re.MULTILINE,
)

_CLOSERS = ").;:"


def is_secret_key(key: str) -> bool:
    """Tell whether a value under ``key`` must not be shown."""
    return bool(_SECRET_KEY.search(key))


def mask(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a copy of ``value`` (dicts, lists, scalars) with every secret replaced by :data:`MASK`.

    :param depth: levels that are copied; a deeper one becomes "…".
    """
    if not isinstance(value, dict | list | tuple):
        return value
    if not depth:
        return "…"
    if isinstance(value, dict):
        return {k: MASK if isinstance(k, str) and is_secret_key(k) else mask(v, depth - 1) for k, v in value.items()}
    return [mask(item, depth - 1) for item in value]


def mask_text(text: str) -> str:
    """Return ``text`` with ``password=…``-like parts and passwords inside URLs, headers and SQL replaced.

    Takes time in proportion to the length, during which no other thread runs, so the length is bounded.
    """
    return _IN_TEXT.sub(_replacement, printable.clip(text, MAX_TEXT))


def _replacement(found: re.Match[str]) -> str:
    mark = found["mark"] or ""
    kept: str = found["named"] or found["header"] or found["url"] or found["sql"]
    return f"{kept}{mark}{MASK}{mark}{_closing(found['plain'] or '')}"


def _closing(plain: str) -> str:
    """Return what closes the sentence around a value without quotes: "(using password: YES)." ends with ").".

    Nothing, where the value may have opened the parenthesis itself, or where it would be nothing else.
    """
    value = plain.rstrip(_CLOSERS)
    closing = plain[len(value) :]
    return closing if value and ")" in closing and "(" not in value else ""


class RedactingFilter(logging.Filter):
    """A logging filter that masks dict arguments and secret-looking text of each record, and bounds its length."""

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
        record.msg, record.args = _safe_line(text, MAX_MESSAGE), None
        return True


class RedactingFormatter(logging.Formatter):
    """Formats with another formatter, masks the outcome and makes one line of it: that formatter may add a traceback, a
    summary of an error that is being handled, or words of a client, which no filter sees.

    :param inner: ``None`` means Python's own. One that makes a structure instead of a text (Fluentd's) has its strings
        treated alike.
    """

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        # Of oslo.log's handler for terminals: the one escape that may stay, and so it is kept from what looks for them.
        color, record.color = getattr(record, "color", ""), ""
        formatted: Any = self._inner.format(record)
        if not isinstance(formatted, str):
            return _safe_structure(mask(formatted))  # type: ignore[no-any-return]
        text = self._text(formatted, record)
        if record.exc_text:  # a handler for the journal sends it once more, by itself
            record.exc_text = "\n".join(_safe_traceback(record.exc_text))
        return f"{color}{text}"

    def formatException(self, ei: Any) -> str:
        """Return a traceback as that handler asks for it when the other formatter has made none."""
        return "\n".join(_safe_traceback(super().formatException(ei)))

    def _text(self, formatted: str, record: logging.LogRecord) -> str:
        if formatted.startswith("{") and (document := _safe_document(formatted)) is not None:
            return document
        stack = self._inner.formatStack(record.stack_info) if record.stack_info else None
        further = "\n".join(text for text in (record.exc_text, stack) if text)
        if not further or not formatted.endswith(further):
            return _safe_line(formatted, MAX_TEXT)
        line = formatted[: -len(further)].removesuffix("\n")
        lines = [_safe_line(line, MAX_MESSAGE), *_safe_traceback(further)]
        return f"\n{CONTINUATION}".join(lines)


def protect(handler: logging.Handler) -> None:
    """Have ``handler`` write nothing secret, and nothing that others could take for lines of ours. Safe to repeat."""
    if not isinstance(handler.formatter, RedactingFormatter):
        handler.addFilter(RedactingFilter())
        handler.setFormatter(RedactingFormatter(handler.formatter))


def _safe_line(text: str, limit: int) -> str:
    return printable.one_line(mask_text(printable.clip(text, limit)))


def _safe_traceback(text: str) -> list[str]:
    """Return the lines of a traceback: the last ones where it is too long, because they tell what was wrong."""
    kept = text[-MAX_TRACEBACK:]
    if len(kept) < len(text):
        kept = "…\n" + kept[kept.find("\n") + 1 :]
    return [printable.one_line(line) for line in mask_text(kept).split("\n")]


def _safe_document(text: str) -> str | None:
    """Return a JSON document with its values made safe, ``None`` for other text: masking the text itself would leave no
    document."""
    import json  # not for a guest's agent, which writes none, and whose memory counts

    try:
        return json.dumps(_safe_structure(mask(json.loads(text))))
    except (ValueError, RecursionError):
        return None


def _safe_structure(value: Any, depth: int = MAX_DEPTH) -> Any:
    if isinstance(value, str):
        return _safe_line(value, MAX_TEXT)
    if not depth:
        return "…"
    if isinstance(value, dict):
        return {key: _safe_structure(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe_structure(item, depth - 1) for item in value]
    return value
