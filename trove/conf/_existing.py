# SPDX-License-Identifier: Apache-2.0
"""What becomes of the options that ``trove.conf`` files of existing deployments have: honoured, renamed, or ignored
with a reason.

The names are data (``existing_options.yaml``). Whether one is honoured is not written there but follows from the
options that are registered: ours, and those of the libraries, by name or by deprecated name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from typing import Any

import yaml
from oslo_config import cfg

import trove.conf

Name = tuple[str, str]

#: Libraries whose options a configuration file of ours may hold. Not all of oslo: some load what must not be loaded.
_LIBRARIES = (
    "keystonemiddleware.auth_token",
    "castellan.config",
    "oslo.cache",
    "oslo.concurrency",
    "oslo.db",
    "oslo.log",
    "oslo.messaging",
    "oslo.middleware",
    "oslo.policy",
    "oslo.reports",
)
#: Ways to log in whose options may stand in a group that has ``auth_type``; they are registered when one is chosen.
_AUTH_PLUGINS = ("password", "v3password", "v3applicationcredential", "v3token", "none")


@dataclass(frozen=True)
class Known:
    """The options that are registered here.

    :ivar current: every option.
    :ivar renamed: an older name of one, with the present name.
    """

    current: frozenset[Name]
    renamed: Mapping[Name, Name]

    def groups(self) -> set[str]:
        """Return the groups in which there are options."""
        return {group for group, _ in self.current}


@dataclass(frozen=True)
class Existing:
    """One name that existing files have.

    :ivar becomes: the option that it sets; ``None`` when it is ignored.
    :ivar reason: why it is ignored; empty when it is not.
    """

    name: Name
    becomes: Name | None
    reason: str = ""


def known() -> Known:
    """Return the options of this release and of the libraries it is configured through."""
    current: set[Name] = set()
    renamed: dict[Name, Name] = {}
    for group, options in _listed():
        for option in options:
            name = (group, option.dest)
            current.add(name)
            for old in option.deprecated_opts:
                before = (old.group or group, (old.name or option.dest).replace("-", "_"))
                if before != name:
                    renamed[before] = name
    authenticating = {group for group, name in current if name == "auth_type"}
    current |= {(group, name) for group in authenticating for name in _auth_options()}
    return Known(frozenset(current), {old: new for old, new in renamed.items() if old not in current})


def names() -> dict[Name, str]:
    """Return every name that existing files have, with the reason why it is ignored, if one is written."""
    data = _data()
    found = {
        (group, name): reason
        for group, reasons in data["groups"].items()
        for reason, listed in reasons.items()
        for name in listed
    }
    for group in data["datastores"]:
        for reason, listed in data["datastore_options"].items():
            for name in listed:
                found.setdefault((group, name), reason)
    return found


def existing(registered: Known) -> dict[Name, Existing]:
    """Return what becomes of every name that existing files have, sorted by group and name."""
    return {name: _fate(name, reason, registered) for name, reason in sorted(names().items())}


def rows(registered: Known) -> Iterator[tuple[str, str]]:
    """Yield every name and what becomes of it, for people: first the names of single groups, then those that every
    datastore's group has."""
    data, fates = _data(), existing(registered)
    common = {name for listed in data["datastore_options"].values() for name in listed}
    for (group, name), fate in fates.items():
        if group not in data["datastores"] or name not in common:
            yield f"[{group}] {name}", _words(fate)
    for name in sorted(common):
        each = {group: fates[group, name] for group in data["datastores"]}
        honoured = [group for group, fate in each.items() if fate.becomes]
        for group in honoured:
            yield f"[{group}] {name}", _words(each[group])
        ignored = next(fate for fate in each.values() if not fate.becomes)
        yield f"[{'every other' if honoured else 'every'} datastore] {name}", _words(ignored)


def _words(fate: Existing) -> str:
    if fate.becomes is None:
        return f"ignored: {fate.reason}"
    if fate.becomes == fate.name:
        return "honoured"
    return f"honoured; now called [{fate.becomes[0]}] {fate.becomes[1]}"


def _fate(name: Name, reason: str, registered: Known) -> Existing:
    if name in registered.current:
        return Existing(name, name)
    if name in registered.renamed:
        return Existing(name, registered.renamed[name])
    return Existing(name, None, reason)


def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        (resources.files("trove.conf") / "existing_options.yaml").read_text("utf-8")
    )
    return loaded


def _listed() -> Iterator[tuple[str, Iterable[Any]]]:
    yield from trove.conf.list_opts()
    for entry in metadata.entry_points(group="oslo.config.opts"):
        if entry.name in _LIBRARIES:
            for group, options in entry.load()():
                yield (group.name if isinstance(group, cfg.OptGroup) else group or "DEFAULT"), options


def _auth_options() -> set[str]:
    from keystoneauth1 import loading

    return {option.dest for plugin in _AUTH_PLUGINS for option in loading.get_auth_plugin_conf_options(plugin)}
