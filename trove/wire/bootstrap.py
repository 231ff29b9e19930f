# SPDX-License-Identifier: Apache-2.0
"""The document a new guest starts from.

It arrives by user data or config drive in a cloud and as a file of mode 0600 on one host. Its one-time key is good for
one enrolment: afterwards the control plane has erased its copy and the guest erases this one.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from trove.wire import base

PathText = Annotated[str, msgspec.Meta(max_length=4096)]


class Bootstrap(base.Message, frozen=True, kw_only=True):
    """Everything an agent needs to know before it has spoken to anybody."""

    name = "bootstrap"
    instance_id: base.Identifier
    #: Name of the datastore plugin and the version of the engine.
    datastore_manager: base.ShortText
    datastore_version: base.ShortText
    transport: Literal["gateway", "messaging"]
    #: Gateway: base URL, or ``unix://`` and the path of a socket. Messaging: transport URL of the guest vhost.
    endpoint: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    #: PEM of the authority that signs the gateway's certificate; absent for loopback and sockets.
    ca: base.LongText | None = None
    #: 64 hexadecimal digits; absent once the guest is enrolled.
    one_time_key: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    heartbeat_interval: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    #: Directory with the engine's programs; absent: as the datastore finds them.
    engine_home: PathText | None = None
    #: Root file system in which the engine's programs run, and in which :attr:`engine_home` is meant; absent: this
    #: machine's own.
    engine_root: PathText | None = None
    #: Where the data volume is mounted. Empty until the provider fills it in, see :func:`fill`.
    data_dir: PathText
    #: Where the agent keeps journal, sockets and logs. Empty until the provider fills it in.
    state_dir: PathText
    #: Prepared data directories that a new engine may start from; absent: initialise.
    template_dir: PathText | None = None
    options: dict[str, Any] = msgspec.field(default_factory=dict)


def fill(document: bytes, values: Mapping[str, Any]) -> bytes:
    """Return the JSON ``document`` of a :class:`Bootstrap` with fields that only the provider knows.

    :param values: fields to set; ``options`` are added to those of the document.
    :raises base.MalformedMessage: when the result is not a bootstrap document or still lacks a directory. The text
        names the field, never its value.
    """
    try:
        fields = msgspec.json.decode(document, type=dict[str, Any])
        filled = {**fields, **values, "options": {**fields.get("options", {}), **values.get("options", {})}}
        made = msgspec.convert(filled, Bootstrap)
    except msgspec.ValidationError as err:
        raise base.MalformedMessage(f"bootstrap: {base.explain(err)}") from None
    except msgspec.DecodeError as err:
        raise base.MalformedMessage(f"bootstrap: {err}") from None
    if not (made.data_dir and made.state_dir):
        raise base.MalformedMessage("bootstrap: data_dir and state_dir must not be empty")
    return msgspec.json.encode(filled)


def local_socket(document: bytes) -> str | None:
    """Return the path of the UNIX socket on which the guest of a JSON ``document`` finds its gateway, if it does."""
    endpoint = msgspec.json.decode(document, type=dict[str, Any]).get("endpoint")
    return endpoint.removeprefix("unix://") if isinstance(endpoint, str) and endpoint.startswith("unix:///") else None
