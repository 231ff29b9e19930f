# SPDX-License-Identifier: Apache-2.0
"""Find the datastores that are installed.

A datastore is a class in the entry-point group ``trove.datastores``, called without arguments, so that a third party
can ship one in a package of its own. A broken one is an error at start, named with its package: an operator who
installed an engine must not find out from a tenant that it is missing.
"""

from collections.abc import Iterable
from importlib import metadata

from trove.datastores import spi

GROUP = "trove.datastores"


class PluginError(Exception):
    """A datastore plugin cannot be used; the text names it and says why."""


def load_plugins(entries: Iterable[metadata.EntryPoint] | None = None) -> dict[str, spi.Plugin]:
    """Return all installed plugins by name, sorted.

    :param entries: entry points to load instead of the installed ones.
    :raises PluginError: when one cannot be imported or made, is incomplete, or has another name than its entry point.
    """
    found = metadata.entry_points(group=GROUP) if entries is None else entries
    plugins: dict[str, spi.Plugin] = {}
    origins: dict[str, str] = {}
    for entry in found:
        # The same distribution may be seen twice, for example once installed and once as a checkout.
        if origins.get(entry.name) == entry.value:
            continue
        if entry.name in origins:
            raise PluginError(f"datastore '{entry.name}' is claimed by {origins[entry.name]} and {entry.value}")
        plugins[entry.name] = _load(entry)
        origins[entry.name] = entry.value
    return dict(sorted(plugins.items()))


def _load(entry: metadata.EntryPoint) -> spi.Plugin:
    try:
        plugin: spi.Plugin = entry.load()()
    except Exception as err:  # boundary: a third party's code; whatever it raises is told with the plugin's name
        reason = f"{type(err).__name__}: {err}"
        raise PluginError(f"datastore '{entry.name}' ({entry.value}) cannot be loaded: {reason}") from err
    missing = [name for name in _REQUIRED if not hasattr(plugin, name)]
    if spi.Capability.CONFIGURATION in getattr(plugin, "capabilities", ()):
        missing += [name for name in _CONFIGURABLE if not hasattr(plugin, name)]
    if missing:
        raise PluginError(f"datastore '{entry.name}' ({entry.value}) lacks {', '.join(missing)}")
    if plugin.name != entry.name:
        raise PluginError(f"datastore '{entry.name}' ({entry.value}) calls itself '{plugin.name}'")
    unknown = [item for item in plugin.capabilities if not isinstance(item, spi.Capability)]
    if unknown:
        raise PluginError(f"datastore '{entry.name}' ({entry.value}) declares unknown capabilities: {unknown!r}")
    return plugin


_REQUIRED = (
    "name",
    "versions",
    "capabilities",
    "port",
    "root_name",
    "validate_databases",
    "validate_users",
    "validate_size",
    "detect",
)
#: Required of a plugin with :attr:`trove.datastores.spi.Capability.CONFIGURATION`.
_CONFIGURABLE = ("parameters", "default_configuration")
