# SPDX-License-Identifier: Apache-2.0
"""The engine that a request concerns: whether it is installed here, and has what the request needs."""

from collections.abc import Iterable, Sequence

from trove.api.request import ApiRequest
from trove.common import exception
from trove.datastores import spi


def find(req: ApiRequest, manager: str) -> spi.Plugin:
    """Return the plugin of a datastore version.

    :raises ServiceUnavailable: when this process does not have it.
    """
    try:
        return req.services.plugins[manager]
    except KeyError:
        raise exception.ServiceUnavailable(
            f"The plugin of datastore '{manager}' is not installed here; ask the operator to install it."
        ) from None


def require(plugin: spi.Plugin, capability: spi.Capability) -> None:
    """Check that the engine has ``capability``.

    :raises NotSupported: naming it.
    """
    if capability not in plugin.capabilities:
        raise exception.NotSupported(
            f"The datastore '{plugin.name}' does not have the capability '{capability.value}'."
        )


def require_for_users(plugin: spi.Plugin, granted: Iterable[Sequence[object]]) -> None:
    """Check that the engine can make users that may use ``granted``, the databases of each.

    :raises NotSupported: naming what it lacks. Clients send an empty list where there is nothing to grant.
    """
    require(plugin, spi.Capability.USERS)
    if any(granted):
        require(plugin, spi.Capability.ACCESS)


def host_of(plugin: spi.Plugin, host: str | None) -> str:
    """Return the host that a request means for a user: ``%``, which is any, unless the engine knows hosts and one was
    given."""
    return host if host and spi.Capability.USER_HOSTS in plugin.capabilities else "%"
