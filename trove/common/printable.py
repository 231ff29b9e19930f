# SPDX-License-Identifier: Apache-2.0
"""Make text of others harmless to show: on a terminal, in a log, in a message.

Names, reasons and error texts of tenants, guests and engines may hold line breaks that forge a log line, escapes that
a terminal obeys, and characters that turn the direction of what follows. :func:`one_line` shows all of these as Python
would write them in a string (``\\n``, ``\\x1b``, ``\\u202e``); what can be read stays, in any script.
"""

import re

#: An absolute path of two parts or more: all of a quotation, or up to what ends a word. Neither a URL nor a fraction
#: has its first slash after a blank, a quote or an equals sign.
_PATH = re.compile(
    r"""(?P<mark>["'`])/[^"'`/]*+/[^"'`]*+(?P=mark)"""
    r"""|(?<![^\s"'`(\[=:,])/(?:[^\s"'`()\[\]:;,/]++/)++[^\s"'`()\[\]:;,]*+"""
)
#: Stands for a path.
_SOMEWHERE = "…"
#: Stands where text was left out.
_LEFT_OUT = "… ({} characters left out)"
#: So many characters before the limit, a blank is a better place to cut.
_WORD = 256


def one_line(text: str) -> str:
    """Return ``text`` without line breaks, control and format characters; safe to repeat.

    What counts as printable is Unicode's word (:meth:`str.isprintable`): the categories "other" and "separator" are
    not, but for the space.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def without_paths(text: str) -> str:
    """Return ``text`` with "…" in place of each absolute path: where a program keeps its files and sockets is for
    operators, not for the owner of what it serves."""
    return _PATH.sub(lambda found: f"{found['mark'] or ''}{_SOMEWHERE}{found['mark'] or ''}", text)


def clip(text: str, limit: int) -> str:
    """Return at most the first ``limit`` characters of ``text``, and say when that is not all.

    Cut is between two words where that is possible: the first half of a URL may show a password that the whole one
    would have been masked for.
    """
    if len(text) <= limit:
        return text
    kept = max(text.rfind(" ", max(0, limit - _WORD), limit), 0) or limit
    return text[:kept] + _LEFT_OUT.format(len(text) - kept)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
