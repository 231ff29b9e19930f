# SPDX-License-Identifier: Apache-2.0
"""An operator's corrections of the parameters that configuration groups may set.

The parameters that a datastore plugin brings can be changed and taken away as well as those that an operator has added;
what the service itself depends on cannot be touched. Groups that exist keep their values.
"""

from collections.abc import Mapping
from typing import Any

from trove.api import transactions
from trove.api.controllers import parameters
from trove.api.request import ApiRequest, Reply
from trove.api.requests import configurations, plugins
from trove.api.views import configurations as view
from trove.common import exception
from trove.datastores import parameters as catalogue
from trove.datastores import spi
from trove.domain import parameter_rule as domain
from trove.objects import parameter_rule
from trove.objects.catalog import DatastoreVersion
from trove.operations.work import Work


class ParameterExists(exception.BadRequest):
    """400, not 409: existing clients expect it."""

    symbol = "configuration_parameter.exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"Configuration parameter '{name}' exists already; change it with PUT.")


class ParameterUnknown(exception.BadRequest):
    """400, not 404: existing clients expect it when they delete one."""

    symbol = "configuration_parameter.unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no configuration parameter '{name[:128]}' to delete; list the parameters.")


def index(req: ApiRequest) -> Reply:
    """List the parameters of a version."""
    with req.services.db.reader() as session:
        version = parameters.by_id(req, session)
        found = configurations.settable(req, session, version)
    return Reply({"configuration-parameters": [view.managed_parameter(item, version.id) for item in found.values()]})


def show(req: ApiRequest) -> Reply:
    """Show one parameter of a version."""
    with req.services.db.reader() as session:
        version = parameters.by_id(req, session)
        found = configurations.settable(req, session, version)
    return Reply(view.managed_parameter(parameters.find(found, req.path["parameter_name"], version), version.id))


@transactions.transactional
def create(req: ApiRequest, work: Work) -> Reply:
    """Add a parameter."""
    version = parameters.by_id(req, work.session)
    rule = _rule(req.body["configuration-parameter"])
    known = catalogue.find(configurations.catalogue(req, work.session, version), rule.name)
    if known is not None:
        _refuse_protected(known)
        raise ParameterExists(known.name)
    return _put(req, work, version, rule)


@transactions.transactional
def update(req: ApiRequest, work: Work) -> Reply:
    """Change what a parameter may be, and whether it needs a restart."""
    version = parameters.by_id(req, work.session)
    body = req.body["configuration-parameter"]
    found = configurations.catalogue(req, work.session, version)
    known = parameters.find(found, req.path["parameter_name"], version)
    if catalogue.key(body["name"]) != catalogue.key(known.name):
        raise exception.BadRequest(f"A parameter cannot be renamed; name must be {known.name}.")
    _refuse_protected(known)
    return _put(req, work, version, _rule({**body, "name": known.name}))


@transactions.transactional
def delete(req: ApiRequest, work: Work) -> Reply:
    """Take a parameter away."""
    version = parameters.by_id(req, work.session)
    name = req.path["parameter_name"]
    known = catalogue.find(configurations.catalogue(req, work.session, version), name)
    if known is None:
        raise ParameterUnknown(name)
    _refuse_protected(known)
    if _brought(req, version, known.name) is None:
        parameter_rule.remove(work.session, version.id, known.name)
    else:
        version.hold(work.session)
        hidden = domain.Rule(known.name, known.public_type, known.restart, hidden=True)
        parameter_rule.put(work.session, version.id, [hidden])
    return Reply()


def _put(req: ApiRequest, work: Work, version: DatastoreVersion, rule: domain.Rule) -> Reply:
    version.hold(work.session)
    brought = _brought(req, version, rule.name)  # one that was hidden comes back under the engine's own name
    parameter_rule.put(work.session, version.id, [rule if brought is None else _renamed(rule, brought.name)])
    found = configurations.catalogue(req, work.session, version)
    return Reply(view.managed_parameter(parameters.find(found, rule.name, version), version.id))


def _renamed(rule: domain.Rule, name: str) -> domain.Rule:
    return domain.Rule(name, rule.type, rule.restart, rule.min, rule.max)


def _brought(req: ApiRequest, version: DatastoreVersion, name: str) -> catalogue.Parameter | None:
    """Return what the version's plugin itself says of a parameter."""
    plugin = plugins.find(req, version.manager)
    if spi.Capability.CONFIGURATION not in plugin.capabilities:
        return None
    return catalogue.find(plugin.parameters(version.version), name)


def _refuse_protected(known: catalogue.Parameter) -> None:
    if known.protected:
        raise exception.BadRequest(f"Parameter {known.name} is managed by the service and cannot be changed.")


def _rule(body: Mapping[str, Any]) -> domain.Rule:
    """Return the rule that a body describes.

    :raises ValidationFailed: with every objection.
    """
    kind = next(word for word in domain.TYPES if word in body["data_type"])
    # Two spellings of the bounds are in use.
    low = body.get("min_size") if body.get("min_size") is not None else body.get("min")
    high = body.get("max_size") if body.get("max_size") is not None else body.get("max")
    reasons = []
    if kind == "integer":
        for name, value in (("max_size", high), ("min_size", low)):
            if value is None:
                reasons.append(f"configuration-parameter.{name} is required for an integer")
            elif not isinstance(value, int):
                reasons.append(f"configuration-parameter.{name} must be an integer")
    if low is not None and high is not None and high < low:
        reasons.append("configuration-parameter.max_size must not be less than min_size")
    if reasons:
        raise exception.ValidationFailed(reasons)
    if kind not in ("integer", "float"):
        low = high = None
    return domain.Rule(body["name"], kind, bool(body["restart_required"]), low, high)
