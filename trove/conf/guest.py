# SPDX-License-Identifier: Apache-2.0
"""[guest_bus]: how guests and control plane reach each other, and how long a silent guest is trusted."""

import urllib.parse
from typing import Any

from oslo_config import cfg

GROUP = "guest_bus"
#: Where the gateway listens unless an option says otherwise.
GATEWAY_PORT = 8778

OPTS = [
    cfg.StrOpt(
        "transport",
        default="gateway",
        choices=[
            (
                "gateway",
                "Guests dial out to the gateway of the conductor over HTTPS; they need no broker and no open port.",
            ),
            ("messaging", "Guests use a message broker in a virtual host of their own."),
        ],
        help="How new guests talk to the control plane. Existing guests keep what they were made with.",
    ),
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="Transport URL of the guests' own virtual host, for transport 'messaging'. It "
        "has no default on purpose: control-plane messages and guest traffic must never share a virtual host.",
    ),
    cfg.StrOpt(
        "guest_transport_url",
        secret=True,
        help="Transport URL handed to guests, when it differs from transport_url (another address or account).",
    ),
    cfg.StrOpt(
        "gateway_url",
        help="Base URL that guests dial, for transport 'gateway', for example https://trove.example:8778, or "
        "unix:///run/trove/gateway.sock for guests on the same host. Its port is the one that the conductor's gateway "
        "listens on, unless gateway_bind_port says otherwise.",
    ),
    cfg.StrOpt(
        "gateway_ca_file", help="PEM file of the authority that signed the gateway's certificate, handed to guests."
    ),
    cfg.HostAddressOpt("gateway_bind_host", default="127.0.0.1", help="Address the conductor's gateway listens on."),
    cfg.PortOpt(
        "gateway_bind_port",
        min=0,
        sample_default="the port in gateway_url, else 8778",
        help="Port the conductor's gateway listens on. Set it only where it differs from the one that guests dial: "
        "behind a proxy or a load balancer, and for a second conductor on one host. 0 picks a free one.",
    ),
    cfg.StrOpt(
        "gateway_socket",
        help="Path of a UNIX socket the gateway listens on as well, for guests on the same host, in whatever network "
        "namespace they are: gateway_url is then unix:// and this path. The directory must exist; who may enter it may "
        "connect. What is said is sealed anyway, so no TLS is needed. trove-standalone sets it.",
    ),
    cfg.HostAddressOpt(
        "gateway_tls_bind_host",
        help="A second address the gateway listens on, always with TLS, on the same port, while gateway_bind_host is a "
        "loopback address without. For guests of the local provider in tier 2 that cannot see gateway_socket: the "
        "address of the host on the bridge.",
    ),
    cfg.StrOpt(
        "gateway_cert_file", help="PEM certificate of the gateway. Required unless it listens on a loopback address."
    ),
    cfg.StrOpt("gateway_key_file", help="PEM private key of the gateway."),
    cfg.IntOpt(
        "gateway_threads",
        default=8,
        min=2,
        help="Threads that write what guests report and seal what is sent to them. Heartbeats and polls that are held "
        "need none, so the number does not depend on how many guests there are; more of them help where the database "
        "is far away. Half as many more take uploads.",
    ),
    cfg.FloatOpt(
        "gateway_max_wait", default=20.0, min=0.0, max=60.0, help="Longest time in seconds that a poll is held."
    ),
    cfg.IntOpt(
        "gateway_max_guests",
        default=10000,
        min=1,
        help="Guests whose polls one conductor holds. Each takes one or two connections, and each of those a file "
        "handle: where the system grants the process fewer handles, idle connections are closed and dialled again. "
        "A guest beyond the number is told to come back; start another conductor then.",
    ),
    cfg.FloatOpt(
        "guest_message_rate",
        default=50.0,
        min=1.0,
        help="Messages per second that one guest may send to one conductor, and ten times as many at once; each 64 KiB "
        "of a message count as one more. A guest needs less than one in normal operation and about four for each "
        "command. One that sends more is told to wait, and its instance says so.",
    ),
    cfg.IntOpt(
        "guest_rows_per_minute",
        default=12000,
        min=1000,
        help="Rows per minute of the inventory of one guest (databases and users that came, went or changed) that one "
        "conductor writes. What is beyond waits, and the instance says so.",
    ),
    cfg.FloatOpt(
        "heartbeat_interval",
        default=10.0,
        min=0.5,
        deprecated_name="report_interval",
        deprecated_group="DEFAULT",
        help="Seconds between two heartbeats of a guest.",
    ),
    cfg.FloatOpt(
        "agent_heartbeat_expiry",
        default=45.0,
        min=1.0,
        deprecated_group="DEFAULT",
        help="Seconds of silence after which "
        "the operating status of an instance reads ERROR. Keep it at several heartbeat intervals. After twice as long, "
        "what the guest has been told to do and has not finished counts as failed.",
    ),
    cfg.FloatOpt(
        "command_resend_interval",
        default=10.0,
        min=1.0,
        help="Seconds after which a command that the guest has not accepted is sent again.",
    ),
]


def gateway_port(conf: cfg.ConfigOpts) -> int:
    """Return the port that the gateway listens on: the one option, else the one that guests dial, else a fixed one."""
    bus = conf.guest_bus
    if bus.gateway_bind_port is not None:
        return int(bus.gateway_bind_port)
    try:
        return urllib.parse.urlsplit(bus.gateway_url or "").port or GATEWAY_PORT
    except ValueError:  # no number; who dials says what is wrong with the URL
        return GATEWAY_PORT


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
