# SPDX-License-Identifier: Apache-2.0
"""The superuser of an instance."""

from trove.api import transactions, waiting
from trove.api.controllers import data_answer
from trove.api.controllers.data_answer import Began
from trove.api.request import ApiRequest, Reply
from trove.api.requests import data
from trove.common import exception, ids
from trove.datastores.spi import Capability
from trove.domain import operations
from trove.objects import root_history
from trove.operations import submitting
from trove.operations.work import Work
from trove.wire import command
from trove.workflow.listing import Operation
from trove.workflow.model import State


class RootNotEnabled(exception.NotFound):
    symbol = "root.not_enabled"
    default = "The superuser was never enabled on this instance."


class RootFailed(exception.UnprocessableEntity):
    symbol = "root.failed"
    default = "The superuser could not be enabled; check the instance and try again."


def index(req: ApiRequest) -> Reply:
    """Tell whether the superuser is enabled."""
    with req.services.db.reader() as session:
        row, _ = data.readable(req, session, Capability.ROOT)
        history = root_history.get(session, row.id)
    return Reply({"rootEnabled": history is not None and history.enabled})


def create(req: ApiRequest) -> Reply:
    """Enable the superuser with the password given, or a generated one, and return it once.

    The caller wants to log in with the answer, so the guest is waited for. A guest that is slow does not make it an
    error: the change is on its way, and nobody could tell the password later.
    """
    password = (req.body or {}).get("password") or ids.new_password()

    def accept(work: Work) -> tuple[str, str]:
        instance, engine = data.changeable(req, work, Capability.ROOT)
        data.refuse(engine.validate_users([{"password": password, "host": "%"}]))
        change = command.EnableRoot(password=password)
        begun = submitting.edit(work, operations.ROOT_ENABLE, instance, change, user_id=req.context.user_id)
        return begun, engine.root_name

    with waiting.place(req) as place:
        operation_id, name = transactions.perform(req, accept)

        def reply(ended: Operation | None) -> Reply:
            if ended is not None and ended.state != State.SUCCEEDED:
                raise RootFailed(ended.error_message)
            return Reply({"user": {"name": name, "password": password}})

        return place.reply_when_ended(operation_id, reply)


@data_answer.when_done
def delete(req: ApiRequest, work: Work) -> Began:
    """Disable the superuser. When that is answered with 204, nobody logs in as root any more."""
    instance, _ = data.changeable(req, work, Capability.ROOT)
    if root_history.get(work.session, instance.id) is None:
        raise RootNotEnabled
    change, user_id = command.DisableRoot(), req.context.user_id
    return Began(instance.id, [submitting.edit(work, operations.ROOT_DISABLE, instance, change, user_id=user_id)])
