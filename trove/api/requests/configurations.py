# SPDX-License-Identifier: Apache-2.0
"""What requests on configuration groups share: which parameters there are, whether values are good ones, and how
instances get or lose one (:mod:`trove.operations.configurations` has how they take its values over).

Of several requests to attach or detach a group the newest wins: one that waits is superseded, one that is at work is
brought to its end first.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from trove.api.request import ApiRequest
from trove.api.requests import plugins
from trove.common import exception
from trove.datastores import parameter_values, parameters, spi
from trove.domain import instance_states, operations
from trove.objects import parameter_rule
from trove.objects.catalog import DatastoreVersion
from trove.objects.configuration import Configuration
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.operations import ending, submitting
from trove.operations.work import Work
from trove.workflow.model import State

#: Most characters that the values of a group may have as JSON; they travel to guests as one message.
_MOST = 64_000


class ConfigurationInvalid(exception.UnprocessableEntity):
    """Values that the datastore version does not have or take; carries every reason at once."""

    symbol = "configuration.invalid"

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("The configuration is not valid: " + " ".join(reasons))


class ConfigurationMismatch(exception.BadRequest):
    """The group is for another datastore version than the instance's."""

    symbol = "configuration.mismatch"

    def __init__(self, configuration_id: str) -> None:
        super().__init__(
            f"Configuration group {configuration_id} was made for another datastore version; "
            "use a group of the instance's own version."
        )


class ConfigurationAttached(exception.BadRequest):
    """The instance has a group already; 400, as existing clients expect."""

    symbol = "configuration.attached"

    def __init__(self, instance_id: str, configuration_id: str) -> None:
        super().__init__(
            f"Instance {instance_id} has configuration group {configuration_id}; detach it before attaching another."
        )


def catalogue(req: ApiRequest, session: Session, version: DatastoreVersion) -> parameters.Parameters:
    """Return the parameters of a datastore version: its plugin's, as the operator's rules correct them."""
    plugin = plugins.find(req, version.manager)
    known: parameters.Parameters = {}
    if spi.Capability.CONFIGURATION in plugin.capabilities:
        known = plugin.parameters(version.version)
    return parameters.merge(known, parameter_rule.of_version(session, version.id))


def settable(req: ApiRequest, session: Session, version: DatastoreVersion) -> parameters.Parameters:
    """Return the parameters that a group may set: the :func:`catalogue` without what the service depends on."""
    found = catalogue(req, session, version)
    return {name: parameter for name, parameter in found.items() if not parameter.protected}


def judge(
    req: ApiRequest,
    session: Session,
    version: DatastoreVersion,
    values: Mapping[str, Any],
    *,
    onto: Mapping[str, parameters.Value] | None = None,
) -> dict[str, parameters.Value]:
    """Return ``values`` as they are kept, under the names that the engine gives them.

    :param onto: values that are kept already and stay, unless they are given anew.
    :raises ConfigurationInvalid: with every objection.
    """
    good, reasons = parameter_values.judge(catalogue(req, session, version), values)
    kept = {**(onto or {}), **good}
    if len(json.dumps(kept)) > _MOST:
        reasons.append(f"All values together have more than {_MOST} characters.")
    if reasons:
        raise ConfigurationInvalid(reasons)
    return kept


def find_for(
    session: Session, configuration_id: str, version: DatastoreVersion, plugin: spi.Plugin, project_id: str
) -> Configuration:
    """Return the group that an instance of ``project_id`` shall have, locked, so that it does not go meanwhile.

    :raises ConfigurationNotFound: when the project has no such group.
    :raises ConfigurationMismatch: when it is for another version.
    :raises NotSupported: when the engine knows no groups.
    """
    group = Configuration.get(session, Scope.project(project_id), configuration_id, for_update=True)
    if group.datastore_version_id != version.id:
        raise ConfigurationMismatch(configuration_id)
    plugins.require(plugin, spi.Capability.CONFIGURATION)
    return group


def attach(req: ApiRequest, work: Work, instance: Instance, configuration_id: str) -> None:
    """Give an instance its group.

    :raises ConfigurationAttached: when it has one.
    :raises InvalidInstanceState: when existing clients see that it is not idle.
    """
    version = DatastoreVersion.get(work.session, instance.datastore_version_id)
    plugin = plugins.find(req, version.manager)
    group = find_for(work.session, configuration_id, version, plugin, instance.project_id)
    if instance.configuration_id is not None:
        raise ConfigurationAttached(instance.id, instance.configuration_id)
    _set(work, instance, group.id, None)


def detach(work: Work, instance: Instance) -> None:
    """Take its group from an instance; one without is left alone.

    :raises InvalidInstanceState: when existing clients see that it is not idle.
    """
    if instance.configuration_id is not None:
        group = Configuration.get(work.session, Scope.ALL, instance.configuration_id, for_update=True)
        _set(work, instance, None, group)


def _set(work: Work, instance: Instance, configuration_id: str | None, before: Configuration | None) -> None:
    inputs = {
        "configuration_id": configuration_id,
        "previous": before.id if before is not None else None,
        "previous_revision": before.revision if before is not None else None,
    }
    for row in submitting.queued(work, instance, operations.INSTANCE_CONFIGURE):
        waits = row["claim_key"] is None
        if "previous" in row["inputs"] and (waits or row["state"] == State.PARKED):
            inputs |= {key: row["inputs"][key] for key in ("previous", "previous_revision")}
            if waits:  # what is parked gives way when this is submitted
                ending.supersede(work, row["id"])
    if instance.status != instance_states.UPDATING:
        inputs["was"] = instance.status
    instance.process_event(work.session, "update", configuration_id=configuration_id)
    submitting.submit(work, operations.INSTANCE_CONFIGURE, instance, inputs)
