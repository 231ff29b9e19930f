# SPDX-License-Identifier: Apache-2.0
"""``trove-manage db_load_datastore_config_parameters|db_remove_datastore_config_parameters``: an operator's corrections
of the parameters that configuration groups may set, from a file.

A datastore plugin brings the parameters of its engine, so most deployments need none of this. The file is the one that
deployment tools have::

    {"configuration-parameters": [{"name": "…", "type": "integer", "restart_required": false, "min": 1, "max": 9}]}

An entry with ``deleted_at`` takes the parameter away. Loading twice changes nothing; every mistake is told at once.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg
from sqlalchemy.orm import Session

from trove.common import exception
from trove.datastores import parameters, spi
from trove.datastores import registry as datastores
from trove.db.api import Database
from trove.domain import parameter_rule as domain
from trove.objects import parameter_rule
from trove.objects.datastore import Datastore, DatastoreVersion

Function = Callable[[Session, DatastoreVersion, argparse.Namespace], int]

_LOAD, _REMOVE = "db_load_datastore_config_parameters", "db_remove_datastore_config_parameters"
#: Commands of this module.
COMMANDS = (_LOAD, _REMOVE)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}", re.ASCII)
_MEMBERS = {"name", "type", "restart_required", "min", "max", "deleted_at"}
#: Files have this for what clients are told is text.
_TYPES = {**{kind: kind for kind in domain.TYPES}, "list": "string"}


class FileRefused(exception.BadRequest):
    """A file of rules with mistakes; carries all of them."""

    symbol = "configuration_parameter.file"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands; each sets ``func`` to its function."""
    text = "add, change or take away parameters that configuration groups of a datastore version may set"
    load = subparsers.add_parser(_LOAD, help=text, description=text)
    load.set_defaults(func=_load)
    text = "forget what was loaded for a datastore version; the parameters that its plugin brings remain"
    remove = subparsers.add_parser(_REMOVE, help=text, description=text)
    remove.set_defaults(func=_remove)
    for parser in (load, remove):
        parser.add_argument("datastore", help="name or id of the datastore")
        parser.add_argument("datastore_version", help="name or id of the version")
        parser.add_argument("--version", help="version number, when several versions have the name")
    load.add_argument("config_file_location", metavar="FILE", help="JSON file with the rules")


def run(conf: cfg.ConfigOpts, db: Database, args: argparse.Namespace) -> int:
    """Run the command that was parsed; mistakes go to standard error, with exit code 1."""
    try:
        with db.writer() as session:
            store = Datastore.get_by_name_or_id(session, args.datastore)
            version = DatastoreVersion.get_by_name_or_id(session, store, args.datastore_version, args.version)
            return int(args.func(session, version, args))
    except exception.TroveError as err:
        print(f"error: {err.message}", file=sys.stderr)
        return 1


def _load(session: Session, version: DatastoreVersion, args: argparse.Namespace) -> int:
    rules = read(Path(args.config_file_location))
    version.hold(session)
    known = _brought(version)
    kept = []
    for rule in rules:
        parameter = parameters.find(known, rule.name)
        if parameter is not None and parameter.protected:
            print(f"{parameter.name}: managed by the service, left out")
        else:
            kept.append(rule if parameter is None else _named(rule, parameter.name))
    parameter_rule.put(session, version.id, kept)
    print(f"{len(kept)} parameters loaded for version '{version.name}' of datastore '{version.datastore_name}'.")
    return 0


def _remove(session: Session, version: DatastoreVersion, args: argparse.Namespace) -> int:
    count = parameter_rule.remove(session, version.id)
    print(f"{count} parameters removed from version '{version.name}' of datastore '{version.datastore_name}'.")
    return 0


def read(path: Path) -> list[domain.Rule]:
    """Return the rules in a file.

    :raises FileRefused: with every mistake.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise FileRefused(f"{path}: {getattr(err, 'strerror', None) or err}") from err
    entries = document.get("configuration-parameters") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise FileRefused(f"{path}: must be an object with a list 'configuration-parameters'")
    reasons: list[str] = []
    rules: dict[str, domain.Rule] = {}
    for number, entry in enumerate(entries, 1):
        found = _reasons(entry)
        if not found and parameters.key(entry["name"]) in rules:
            found = ["the name was given before"]
        reasons += [f"entry {number}{_called(entry)}: {reason}" for reason in found]
        if not found:
            rules[parameters.key(entry["name"])] = _rule(entry)
    if reasons:
        raise FileRefused(f"{path} is not loaded:\n  " + "\n  ".join(reasons))
    return list(rules.values())


def _reasons(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return ["must be an object"]
    reasons = [f"{name!a} is not a member that is known" for name in sorted(set(entry) - _MEMBERS)]
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        reasons.append("name must have 1 to 128 letters, digits, or any of _ . : -")
    if entry.get("type") not in _TYPES:
        reasons.append(f"type must be one of {', '.join(_TYPES)}")
    if entry.get("restart_required") not in (True, False):
        reasons.append("restart_required must be true or false")
    low, high = entry.get("min"), entry.get("max")
    for name, bound in (("min", low), ("max", high)):
        if bound is not None and not _is_bound(bound, entry.get("type")):
            reasons.append(f"{name} must be a number of the parameter's type, of at most 64 bits")
    if low is not None and high is not None and _is_bound(low, "float") and _is_bound(high, "float") and low > high:
        reasons.append("max must not be less than min")
    return reasons


def _is_bound(value: Any, kind: Any) -> bool:
    allowed = int if kind == "integer" else int | float
    return isinstance(value, allowed) and not isinstance(value, bool) and -(2**63) <= value < 2**64


def _called(entry: Any) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f" ({name[:128]!a})" if isinstance(name, str) else ""


def _rule(entry: Mapping[str, Any]) -> domain.Rule:
    kind = _TYPES[entry["type"]]
    low, high = (entry.get("min"), entry.get("max")) if kind in ("integer", "float") else (None, None)
    hidden = bool(entry.get("deleted_at"))
    return domain.Rule(entry["name"], kind, bool(entry["restart_required"]), low, high, hidden)


def _named(rule: domain.Rule, name: str) -> domain.Rule:
    return domain.Rule(name, rule.type, rule.restart, rule.min, rule.max, rule.hidden)


def _brought(version: DatastoreVersion) -> parameters.Parameters:
    plugin = datastores.load_plugins().get(version.manager)
    if plugin is None or spi.Capability.CONFIGURATION not in plugin.capabilities:
        return {}
    return plugin.parameters(version.version)
