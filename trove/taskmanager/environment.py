# SPDX-License-Identifier: Apache-2.0
"""What the steps of every flow are given."""

from collections.abc import Mapping
from dataclasses import dataclass

from oslo_config import cfg

from trove.datastores import spi
from trove.db.api import Database
from trove.objectstore.base import ObjectStore
from trove.providers.registry import Providers
from trove.rpc.conductor import Delivers


@dataclass(frozen=True)
class Environment:
    """The side-effect edges of a taskmanager.

    :ivar providers: those that this taskmanager serves; a step asks :attr:`trove.taskmanager.members.Member.provider`.
    :ivar conductor: told, after a commit, that a guest has commands waiting.
    :ivar gateway_url: base URL of the gateway that new guests dial; ``None``: ``[guest_bus] gateway_url``.
    :ivar objects: where published logs are kept; ``None``: nowhere.
    """

    conf: cfg.ConfigOpts
    db: Database
    providers: Providers
    plugins: Mapping[str, spi.Plugin]
    conductor: Delivers
    gateway_url: str | None = None
    objects: ObjectStore | None = None
