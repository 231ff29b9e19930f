# SPDX-License-Identifier: Apache-2.0
"""Typed messages.

Messages are immutable msgspec structs: decoding checks every type and bound, so a hostile body is refused before any
handler sees it. oslo.versionedobjects would bring oslo.messaging into every guest (about 30 MB of memory); a message
here carries a name and a version instead, and :func:`fingerprint` gives the unit tests what they need to notice a
change without a new version.

Peers are of different releases, so each message has to be read by code that is older or newer than its sender:

* A new optional field keeps the version; anything else makes a new version under the same name, and the old class stays
  until no guest can send or need it. A message of a release is readable for ever; tests replay a corpus of them.
* *Unknown fields* are ignored, at every depth.
* *Words from a list that may grow* (statuses, kinds, states) have the type :data:`Word`, never a ``Literal``: one
  unknown word would make the whole message unreadable. Who reads the message keeps the word or ignores what it is
  about. The one exception is :attr:`trove.wire.bootstrap.Bootstrap.transport`: an agent that does not know its
  transport cannot talk at all, and says so.
* *Unknown reports* are answered with :class:`trove.wire.command.Refused`, so that the guest need not repeat them.
  *Unknown messages to a guest* are dropped. Neither ends the conversation.
* A new final state of a command needs a new version of ``command_result``: who does not know it would wait for ever.
* *Unknown commands* are not sent: see :mod:`trove.wire.stated`. A field of :class:`trove.wire.command.CommandFrame`
  that a guest must not ignore needs a new protocol version, see :data:`TERMS_PROTOCOL`.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

#: Versions of the envelope and conversation that this code speaks.
PROTOCOL_MIN = 1
PROTOCOL_MAX = 2
#: From this version on a guest refuses commands of a lower term than it has seen of a set.
TERMS_PROTOCOL = 2

#: How those of msgspec's messages begin that are made of types, bounds and field names alone.
_OWN_WORDS = ("Expected `", "Object missing required field `")
_MAX_NAME = 64
_MAX_PATH = 200

ShortText = Annotated[str, msgspec.Meta(max_length=255)]
LongText = Annotated[str, msgspec.Meta(max_length=16384)]
#: One of a list that may grow.
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z][A-Za-z0-9_]*\Z")]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=36, pattern=r"^[0-9A-Za-z-]+\Z")]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
#: Names of messages, each with the versions that somebody understands.
Versions = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=64)],
        Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2**16)]], msgspec.Meta(max_length=100)],
    ],
    msgspec.Meta(max_length=500),
]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all messages: ``name`` and ``version`` identify the class on the wire.

    :cvar max_bytes: of its JSON, for those that come from guests.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    max_bytes: ClassVar[int] = 256 * 1024

    def to_wire(self) -> dict[str, Any]:
        """Return the message as plain JSON types."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __repr__(self) -> str:  # a message may hold passwords
        return f"<{type(self).__name__} {self.name} v{self.version}>"


T = TypeVar("T", bound=Message)


class MalformedMessage(Exception):
    """A message whose name, version or fields are not what they must be."""


def decode(registry: Mapping[tuple[str, int], type[T]], name: str, version: int, body: Any) -> T:
    """Build the message ``name`` version ``version`` from plain JSON types.

    :raises MalformedMessage: for an unknown name or version, or a field of a wrong type or beyond its bounds. The
        text names the field, never its value.
    """
    cls = _known(registry, name, version)
    try:
        return msgspec.convert(body, cls)
    except msgspec.ValidationError as err:
        text = explain(err)
    # Outside the handler: as its context, the library's error would show the value in a traceback.
    raise MalformedMessage(f"{name}: {text}")


def decode_json(registry: Mapping[tuple[str, int], type[T]], name: str, version: int, data: bytes) -> T:
    """Do the same from JSON, without building anything that the message does not have room for: of a hostile body,
    plain types would take up to thirty times its size.

    :raises MalformedMessage: see :func:`decode`; also for a body that is not JSON or is too large for its kind.
    """
    cls = _known(registry, name, version)
    try:
        if len(data) <= cls.max_bytes:
            return msgspec.json.decode(data, type=cls)
        text = f"Expected at most {cls.max_bytes} bytes"
    except msgspec.ValidationError as err:
        text = explain(err)
    except (msgspec.DecodeError, RecursionError, ValueError):
        text = "Expected JSON"
    raise MalformedMessage(f"{name}: {text}")


def _known(registry: Mapping[tuple[str, int], type[T]], name: str, version: int) -> type[T]:
    cls = registry.get((name, version))
    if cls is None:
        raise MalformedMessage(f"no message '{name[:_MAX_NAME]}' version {version} is known here")
    return cls


def explain(error: msgspec.ValidationError) -> str:
    """Return where and what was expected, without the value that msgspec quotes for words that are not among those
    allowed.

    What it writes is ``<what> - at `<path>``` (https://jcristharif.com/msgspec/usage.html); the path consists of field
    names of ours and brackets.
    """
    what, separator, path = str(error).rpartition(" - at `")
    if not separator:
        what, path = path, "$`"
    if not what.startswith(_OWN_WORDS):
        what = "Expected one of the values that are allowed"
    return f"{what} - at `{path[:_MAX_PATH]}"


def fingerprint(cls: type[Message]) -> str:
    """Return ``<version>-<hash>`` of the class's fields, types and defaults."""
    fields = [(f.encode_name, str(f.type), repr(f.default)) for f in msgspec.structs.fields(cls)]
    return f"{cls.version}-{hashlib.sha256(repr(sorted(fields)).encode()).hexdigest()[:16]}"
