# SPDX-License-Identifier: Apache-2.0
"""What modules are made of: their contents, as clients send them and as a driver takes them, and the order in which
they are applied.

The control plane judges contents by these rules before it sends them, and the drivers of a guest by the same. Of a
type that others have brought nothing is known here, so its driver alone judges.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

#: The driver has done it; it could not; nobody has heard from it yet.
OK = "OK"
ERROR = "ERROR"
PENDING = "PENDING"

#: Most bytes of the contents of one module, and of all modules of an instance together: they travel in one message.
MAX_BYTES = 32 * 1024
MAX_TOTAL_BYTES = 256 * 1024
#: Most modules of one instance.
MAX_MODULES = 50

PING = "ping"
NEW_RELIC_LICENSE = "new_relic_license"

MESSAGE = "message"
LICENSE_KEY = "license_key"

#: Most characters of the message of a ping: it is kept as what the driver said.
_MAX_MESSAGE = 200
_LICENSE = re.compile(r"[0-9A-Za-z_-]{8,128}\Z")
#: What no text file holds.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Order(NamedTuple):
    """What decides which of two modules is applied first; sorts by itself."""

    later: bool
    apply_order: int
    name: str
    id: str


def order(*, priority_apply: bool, apply_order: int, name: str, module_id: str) -> Order:
    """Return the sort key of a module: priority goes first, then the lower number.

    >>> order(priority_apply=True, apply_order=9, name="b", module_id="2") < order(
    ...     priority_apply=False, apply_order=0, name="a", module_id="1"
    ... )
    True
    """
    return Order(not priority_apply, apply_order, name, module_id)


def settings(contents: str) -> dict[str, str]:
    """Return the ``name=value`` lines of ``contents``; empty lines and those that begin with ``#`` say nothing.

    >>> settings("# a greeting\\nmessage = hello\\n")
    {'message': 'hello'}
    """
    found = {}
    for line in contents.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            found[name.strip()] = value.strip()
    return found


def read(module_type: str, sent: str) -> tuple[str, list[str]]:
    """Return the contents that a client means by ``sent``, and what is wrong with them.

    Clients encode contents with Base64. What is not Base64, or makes sense only as it stands, is taken as it stands.
    """
    plain = _decoded(sent)
    readings = [sent] if plain is None else [plain, sent]
    for reading in readings:
        if not reasons(module_type, reading):
            return reading, []
    return readings[0], reasons(module_type, readings[0])


def reasons(module_type: str, contents: str) -> list[str]:
    """Return why a driver would refuse ``contents``; the texts hold nothing of them."""
    if not contents.strip():
        return ["contents are empty"]
    if len(contents.encode(errors="replace")) > MAX_BYTES:
        return [f"contents have more than {MAX_BYTES} bytes"]
    if _CONTROL.search(contents) or any("\ud800" <= sign <= "\udfff" for sign in contents):
        return ["contents are no text"]
    judge = _JUDGES.get(module_type)
    return [] if judge is None else judge(settings(contents))


def _decoded(sent: str) -> str | None:
    try:
        return base64.b64decode(sent.encode("ascii"), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _judge_ping(found: Mapping[str, str]) -> list[str]:
    message = found.get(MESSAGE)
    if not message:
        return ["contents of a ping need a line message=<text>"]
    if len(message) > _MAX_MESSAGE:
        return [f"the message of a ping has more than {_MAX_MESSAGE} characters"]
    return []


def _judge_license(found: Mapping[str, str]) -> list[str]:
    if not _LICENSE.match(found.get(LICENSE_KEY, "")):
        return ["contents need a line license_key=<8 to 128 letters, digits, - or _>"]
    return []


_JUDGES: Mapping[str, Callable[[Mapping[str, str]], list[str]]] = {
    PING: _judge_ping,
    NEW_RELIC_LICENSE: _judge_license,
}
