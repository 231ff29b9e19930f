# SPDX-License-Identifier: Apache-2.0
"""The names and the payloads of notifications, as data.

An event has a pair of them, ``dbaas.<event>.start`` and then ``.end`` or ``.error``. What the start said is kept with
the workflow and repeated in what follows, so that each message can be read alone. The names and keys are those that
billing and auditing systems of existing deployments know. Nothing here ever holds a password.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

START = "start"
END = "end"
ERROR = "error"

#: Member of a workflow's inputs that holds the starts of its events. The word is that of the first release, whose
#: workflows may be in flight.
INPUT = "notices"


@dataclass(frozen=True)
class Event:
    """One event of an operation.

    :ivar payload: without the members that every event has.
    """

    name: str
    payload: Mapping[str, Any] = field(default_factory=dict)


def event_type(event: str, phase: str) -> str:
    """Return the type of a message: ``dbaas.instance_create.start``."""
    return f"dbaas.{event}.{phase}"


def error_members(symbol: str, message: str) -> dict[str, str]:
    """Return what an error adds to the payload."""
    return {"message": message, "exception": symbol}


def usage(row: Mapping[str, Any], service_ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the members that every ``trove.instance.*`` event has.

    :param row: what is known of the instance: the columns of the listing, with moments as text.
    :param service_ids: ids that a billing system knows the datastores by.
    """
    return {
        "created_at": row["created_at"],
        "name": row["name"],
        "instance_id": row["id"],
        "instance_name": row["name"],
        "instance_type_id": row["flavor_id"],
        "instance_type": row["flavor_id"],
        "launched_at": row["launched_at"] or row["created_at"],
        "nova_instance_id": row["server_id"],
        "region": row["region"],
        "state": row["status"].lower(),
        "state_description": row["status"].lower(),
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "service_id": service_ids.get(row["manager"], "unknown-service-id-error"),
    }
