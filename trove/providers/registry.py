# SPDX-License-Identifier: Apache-2.0
"""Find providers by their names, and keep together those that a process serves.

A provider is a factory ``(conf) -> Provider`` in the entry-point group ``trove.providers``, so that a third party can
ship one in a package of its own. Only those that are enabled are imported.

The row of each instance names the provider that holds it. New instances go to the default one; a process that does not
serve the provider of an instance, or only that of another host, leaves the instance alone.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from trove.providers import base

GROUP = "trove.providers"


@dataclass(frozen=True)
class Providers:
    """The providers that a process acts with.

    :ivar default: name of the one that holds new instances, and those whose rows do not name one yet.
    :ivar served: by name; the default one need not be among them.
    """

    default: str
    served: Mapping[str, base.Provider]

    @classmethod
    def only(cls, provider: base.Provider) -> "Providers":
        """Return the providers of a process that has just one."""
        return cls(provider.name, {provider.name: provider})

    def of(self, name: str, host: str | None) -> base.Provider:
        """Return the provider ``name``.

        :param host: where that provider has what it is wanted for; ``None``: it does not matter, or is not decided.
        :raises NotMineError: when this process does not serve it, or serves that of another host.
        """
        provider = self.served.get(name)
        if provider is None:
            raise base.NotMineError(f"this process does not serve provider '{name}'; see [DEFAULT] enabled_providers")
        if host is not None and host != provider.host:
            raise base.NotMineError(f"provider '{name}' of this process is on host '{provider.host}', not on '{host}'")
        return provider


@dataclass(frozen=True)
class Traits:
    """What is known of a provider without making it.

    :ivar capabilities: what it can do, as the values of :class:`trove.providers.base.Capability`.
    :ivar only_network: id of the network that all its instances are in; ``None``: there are several, or none to name.
    """

    capabilities: frozenset[str] = frozenset()
    only_network: str | None = None


@dataclass(frozen=True)
class Described:
    """What an API process knows of the providers of the deployment.

    :ivar default: see :class:`Providers`.
    """

    default: str = ""
    traits: Mapping[str, Traits] = field(default_factory=dict)

    def of(self, name: str | None) -> Traits:
        """Return what is known of the provider ``name``, ``None`` for the default one; of one that this process has not
        heard of, that it can do nothing."""
        return self.traits.get(self.default if name is None else name, Traits())


def enabled(conf: Any) -> list[str]:
    """Return the names of the providers that a process with this configuration serves."""
    return list(dict.fromkeys(conf.enabled_providers)) or [conf.provider]


def load_enabled(conf: Any) -> Providers:
    """Make the providers that are enabled.

    :raises base.FatalError: see :func:`load`.
    """
    return Providers(conf.provider, {name: load(name, conf) for name in enabled(conf)})


def open_enabled(conf: Any) -> Providers:
    """Return the providers that are enabled, for what exists already: one whose module has a function ``open_provider``
    is made by that, which does not look at whether the host can take anything new.

    :raises base.FatalError: see :func:`load`.
    """
    return Providers(conf.provider, {name: _open(name, conf) for name in enabled(conf)})


def describe(conf: Any, made: Iterable[base.Provider] = ()) -> Described:
    """Return what is known of the enabled providers and the default one.

    :param made: some that this process has made itself: of these it knows all that they can do, not only what they can
        wherever they run.
    :raises base.FatalError: see :func:`capabilities`.
    """
    known = {provider.name: frozenset(each.value for each in provider.capabilities) for provider in made}
    names = dict.fromkeys([conf.provider, *enabled(conf)])
    traits = {
        name: Traits(known[name] if name in known else capabilities(name), only_network(name, conf)) for name in names
    }
    return Described(conf.provider, traits)


def names() -> list[str]:
    """Return the names of all installed providers, sorted."""
    return sorted({entry.name for entry in metadata.entry_points(group=GROUP)})


def load(name: str, conf: Any) -> base.Provider:
    """Make the provider ``name``.

    :raises base.FatalError: when no such provider is installed, two packages claim the name, or what the factory makes
        is not a provider. What the factory itself raises passes through.
    """
    entry = _find(name)
    return _checked(name, entry, entry.load()(conf))


def _open(name: str, conf: Any) -> base.Provider:
    entry = _find(name)
    factory = getattr(importlib.import_module(entry.module), "open_provider", None)
    return load(name, conf) if factory is None else _checked(name, entry, factory(conf))


def _checked(name: str, entry: metadata.EntryPoint, provider: Any) -> base.Provider:
    if not isinstance(provider, base.Provider):
        raise base.FatalError(f"provider '{name}' ({entry.value}) lacks members of the provider interface")
    return provider


def capabilities(name: str) -> frozenset[str]:
    """Return what the provider ``name`` can do wherever it runs, without making it: the constant ``CAPABILITIES`` of
    its module. An API process refuses on this ground what would come to nothing.

    :raises base.FatalError: when no such provider is installed, or two packages claim the name.
    """
    stated = getattr(importlib.import_module(_find(name).module), "CAPABILITIES", frozenset[base.Capability]())
    return frozenset(capability.value for capability in stated)


def only_network(name: str, conf: Any) -> str | None:
    """Return the id of the only network that the provider ``name`` has: what the function ``only_network`` of its
    module returns. ``None``: it has more of them, or none that a request could name.

    :raises base.FatalError: see :func:`capabilities`.
    """
    stated = getattr(importlib.import_module(_find(name).module), "only_network", None)
    return None if stated is None else str(stated(conf))


def _find(name: str) -> metadata.EntryPoint:
    found = list({entry.value: entry for entry in metadata.entry_points(group=GROUP, name=name)}.values())
    if not found:
        raise base.FatalError(f"no provider '{name}' is installed; there are: {', '.join(names()) or 'none'}")
    if len(found) > 1:
        raise base.FatalError(f"provider '{name}' is claimed by {' and '.join(sorted(entry.value for entry in found))}")
    return found[0]
