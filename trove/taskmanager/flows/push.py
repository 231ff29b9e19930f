# SPDX-License-Identifier: Apache-2.0
"""Have the instances of a configuration group take its values over, some at a time.

The request that has changed the group sees to the first ones; each workflow sees to the next ones, and submits another
one for what is left. Inputs: ``after``, the id up to which instances were seen to, and ``revision`` of the group. What
becomes of it on an instance is shown there, by the workflow that configures it.
"""

from sqlalchemy.orm import Session

from trove.domain import operations
from trove.operations import configurations
from trove.taskmanager import operating
from trove.workflow.model import Done, Flow, Result, StepContext


class PushBatch:
    """See to some instances."""

    name = "push-batch"

    def run(self, ctx: StepContext) -> Result:
        operating.at_checkpoint(ctx, lambda work: configurations.push_rest(work, ctx.resource_id, ctx.inputs))
        return Done()

    def undo(self, ctx: StepContext) -> Result:
        return Done()


def _nothing(_ctx: StepContext, _session: Session) -> None:
    """Leave everything to the workflows of the instances."""


FLOW = Flow(
    kind=operations.CONFIGURATION_PUSH.name,
    version=operations.CONFIGURATION_PUSH.version,
    steps=(PushBatch(),),
    on_success=_nothing,
    on_reverted=_nothing,
    on_parked=_nothing,
    timeout=operations.CONFIGURATION_PUSH.timeout,
)
