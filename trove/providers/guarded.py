# SPDX-License-Identifier: Apache-2.0
"""A provider that changes nothing once a lease has ended.

A worker that was frozen, or cut off from the database, does not know that another one has taken over and finished. So
whoever works under a lease gets its provider through this wrapper, the one place where that is asked: before each call
that changes something. Steps neither ask nor notice.

The call during which the lease ends is out already, and may still have an effect. That is left to
:mod:`trove.taskmanager.reconciler`.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from trove.common import lease
from trove.common.lease import LeaseEnded
from trove.domain.shape import Shape
from trove.providers import base

__all__ = ["Guarded", "LeaseEnded"]

P = ParamSpec("P")
R = TypeVar("R")


class Guarded:
    """``provider`` for as long as ``lost`` is not set; see the module's docstring.

    Every method raises what the provider raises. Those that change something (all but
    :data:`trove.providers.base.LOOKING`) raise :class:`LeaseEnded` instead of being called once ``lost`` is set.
    """

    def __init__(self, provider: base.Provider, lost: lease.Token) -> None:
        self._provider = provider
        self._lost = lost

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def capabilities(self) -> frozenset[base.Capability]:
        return self._provider.capabilities

    @property
    def host(self) -> str | None:
        return self._provider.host

    @property
    def poll_interval(self) -> float:
        return self._provider.poll_interval

    def list(self, prefix: str, marker: str | None = None, limit: int = 1000) -> base.Page:
        return self._provider.list(prefix, marker, limit)

    def find_port(self, tag: str) -> base.Port | None:
        return self._provider.find_port(tag)

    def ensure_port(self, spec: base.PortSpec) -> base.Port:
        return self._change("ensure_port", self._provider.ensure_port, spec)

    def set_access(self, tag: str, access: base.Access) -> base.Port:
        return self._change("set_access", self._provider.set_access, tag, access)

    def remove_port(self, tag: str) -> None:
        self._change("remove_port", self._provider.remove_port, tag)

    def find_volume(self, tag: str) -> base.Volume | None:
        return self._provider.find_volume(tag)

    def ensure_volume(self, spec: base.VolumeSpec) -> base.Volume:
        return self._change("ensure_volume", self._provider.ensure_volume, spec)

    def remove_volume(self, tag: str) -> None:
        self._change("remove_volume", self._provider.remove_volume, tag)

    def find_server(self, tag: str) -> base.Server | None:
        return self._provider.find_server(tag)

    def ensure_server(self, spec: base.ServerSpec) -> base.Server:
        return self._change("ensure_server", self._provider.ensure_server, spec)

    def resize_server(
        self, tag: str, shape: Shape, *, flavor_id: str | None = None, project_id: str | None = None
    ) -> base.Server:
        ids = {"flavor_id": flavor_id, "project_id": project_id}
        return self._change("resize_server", self._provider.resize_server, tag, shape, **ids)

    def remove_server(self, tag: str) -> bool:
        return self._change("remove_server", self._provider.remove_server, tag)

    def remove_server_group(self, tag: str) -> None:
        self._change("remove_server_group", self._provider.remove_server_group, tag)

    def restart_server(self, tag: str) -> base.Server:
        return self._change("restart_server", self._provider.restart_server, tag)

    def migrate_server(self, tag: str, host: str | None) -> base.Server:
        return self._change("migrate_server", self._provider.migrate_server, tag, host)

    def _change(self, name: str, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        lease.require(self._lost, f"{name} of provider {self.name}")
        return method(*args, **kwargs)
