# SPDX-License-Identifier: Apache-2.0
"""[local] and the choice of providers."""

from typing import Any

from oslo_config import cfg

GROUP = "local"

#: The same on every host, so that it can be written down before there is a service.
NETWORK_ID = "6c6f6361-6c00-4000-8000-000000000001"

PROVIDER_OPTS = [
    cfg.StrOpt(
        "provider",
        default="local",
        help="Where new instances live: the name of a provider registered under the entry-point "
        "group trove.providers. 'local' runs guests as processes of this host. An instance stays with the provider "
        "that it was made by. All processes of a deployment must name the same one; see also enabled_providers.",
    ),
    cfg.ListOpt(
        "enabled_providers",
        default=[],
        help="Providers that this process serves, by name; empty: the one of option provider. A taskmanager leaves "
        "instances of other providers to taskmanagers that serve those, and new instances too where option provider is "
        "not in its list. Before a provider is taken out everywhere, delete its instances. APIs should name all of the "
        "deployment, because they refuse what the provider of an instance cannot do.",
    ),
]

OPTS = [
    cfg.StrOpt(
        "base_dir",
        help="Directory of the local provider: instances, volumes, address reservations. Every taskmanager on the "
        "host must name the same one. Required for the local provider.",
    ),
    cfg.StrOpt(
        "address_pool",
        default="127.64.0.0/10",
        help="Loopback addresses handed to instances, one each, with the engine's "
        "standard port. When an address cannot be bound, 127.0.0.1 with a free port is used instead.",
    ),
    cfg.StrOpt(
        "network_id",
        default=NETWORK_ID,
        regex=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        help="Id of the one network that all instances of this host are in, a UUID in lower case. Requests may name "
        "it, as clients made for clouds do ('nics' of a new instance), and instances are shown with it. It is a name "
        "and nothing else: change it when clients are configured for another one. All APIs and taskmanagers must have "
        "the same.",
    ),
    cfg.StrOpt(
        "image_dir",
        help="Directory of the root file systems that 'trove-manage image build' makes and the local provider runs "
        "engines from. The account of the engines must be able to enter it. Images have about 1 GiB each; several "
        "services may share the directory. Default: images below base_dir.",
    ),
    cfg.StrOpt(
        "tier",
        default="auto",
        choices=[
            ("auto", "2 when the service runs as root and everything tier 2 needs is found to work, else 1."),
            ("1", "Instances are processes with loopback addresses; sizes of volumes and flavors are not enforced."),
            (
                "2",
                "Each instance has a network namespace with an address of its own, control groups with the limits of "
                "its flavor, and an XFS file system of its volume's size. The service does not start when the host "
                "cannot do that.",
            ),
        ],
        help="What new instances are put into. Existing ones keep what they were made with. Clients reach instances of "
        "tier 2 at their addresses on the bridge, from this host only. "
        "'trove-manage local_check' tells what this host can do.",
    ),
    cfg.StrOpt(
        "bridge",
        help="Name of the bridge that instances of tier 2 are plugged into, at most 15 characters; made when missing. "
        "Default: a name made from base_dir, so that several services on one host do not meet.",
    ),
    cfg.StrOpt(
        "bridge_pool",
        default="10.230.0.0/16",
        help="IPv4 network from which tier 2 takes a network of its own, one that no interface or route of the host "
        "uses. The choice is kept in base_dir. The host has its first address.",
    ),
    cfg.IntOpt(
        "bridge_prefix",
        default=22,
        min=8,
        max=29,
        help="Size of that network: the length of its prefix. 22 has room for 1021 instances.",
    ),
    cfg.StrOpt(
        "cgroup_parent",
        help="Control group below which those of tier 2 are made, as a path inside each tree. Default: the group of "
        "the service itself (version 1), the top of the tree (version 2). In a container with version 2, name a "
        "group that is delegated to it and has no processes.",
    ),
    cfg.IntOpt(
        "volume_unit_mib",
        default=1024,
        min=300,
        max=1024,
        advanced=True,
        help="MiB that tier 2 gives to a volume for each GiB of its size. Less than 1024 is for trying out what "
        "happens on a full disk.",
    ),
    cfg.BoolOpt(
        "warm_agents",
        default=True,
        help="Keep one process with the agent's program loaded, about 30 MiB, from which agents are forked: an "
        "instance is ready a fifth of a second sooner, and agents share memory. Without it, and whenever that process "
        "is not there, each agent is started afresh.",
    ),
    cfg.StrOpt(
        "user",
        default="nobody",
        help="When the service itself runs as root: the account of agents and engines that were made before each "
        "instance had one of its own. Its group may enter the directory of the gateway's socket, and every instance is "
        "in it. Ignored otherwise.",
    ),
    cfg.IntOpt(
        "uid_range_start",
        default=61184,
        min=1,
        max=4294967293,
        help="First of the user ids that instances get when the service itself runs as root, one each, with a group of "
        "the same number. Default: where systemd's range for dynamic users starts. Ids that the host's user database "
        "knows, or that somebody uses, are left out. Instances that exist keep theirs. Ignored otherwise.",
    ),
    cfg.IntOpt(
        "uid_range_size",
        default=4336,
        min=1,
        max=1048576,
        help="How many user ids there are from uid_range_start, and so how many instances at most. An id is used again "
        "only when nothing of the instance before is left.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(PROVIDER_OPTS)
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [("DEFAULT", PROVIDER_OPTS), (GROUP, OPTS)]
