# SPDX-License-Identifier: Apache-2.0
"""The member that a step acts on: an instance, what it has outside, and the provider that holds it.

A flow is about one resource, its steps are about members. Every step of this package acts on the one that it is told;
unless a flow says otherwise, that is the instance which the flow is about:

>>> outside.EnsureVolume()                                                                  # doctest: +SKIP
>>> outside.EnsureVolume().on(replica, "ensure-replica-volume")                             # doctest: +SKIP
"""

import copy
from collections.abc import Callable
from typing import Any, Self

from trove.common import ids
from trove.domain import instance_states
from trove.objects.instance import Instance
from trove.objects.scope import Scope
from trove.providers import base
from trove.providers.guarded import Guarded
from trove.taskmanager.environment import Environment
from trove.workflow.model import StepContext

#: Tells which instance a step acts on.
Of = Callable[[StepContext], str]


def own(ctx: StepContext) -> str:
    """Return the id of the instance that the workflow is about. Steps do not take a workflow's resource for an instance
    anywhere else."""
    return ctx.resource_id


class Member:
    """One member, during one run of one step.

    What was read of it is kept for the run, in the context: two of these of the same instance are the same.
    """

    def __init__(self, ctx: StepContext, instance_id: str) -> None:
        self.ctx = ctx
        self.id = instance_id

    @property
    def instance(self) -> Instance:
        """The row, deleted or not: read once per run of a step, and as :meth:`publish` leaves it."""
        known: Instance | None = self.ctx.memo.get(self._key("row"))
        if known is None:
            with self.ctx.env.db.reader() as session:
                known = Instance.get(session, Scope.ALL, self.id, include_deleted=True)
            self.ctx.memo[self._key("row")] = known
        return known

    @property
    def being_deleted(self) -> bool:
        """Whether a deletion was accepted: it removes everything, so undoing a change in place is a waste of time."""
        return bool(self.instance.status == instance_states.SHUTDOWN)

    def tag(self, part: str) -> str:
        """Return the tag of ``part``: ``port``, ``volume`` or ``server``."""
        return ids.instance_tag(self.id, part)

    def publish(self, **columns: Any) -> None:
        """Have ``columns`` of the row written with the checkpoint; nobody else may write these."""
        key = self._key("columns")
        if key not in self.ctx.memo:
            self.ctx.memo[key] = {}
            self.ctx.at_checkpoint(lambda session: Instance.publish(session, self.id, self.ctx.memo[key]))
        self.ctx.memo[key].update(columns)
        if self._key("row") in self.ctx.memo:
            self.instance.assign(columns)

    @property
    def provider(self) -> base.Provider:
        """The provider that holds it, which is chosen and written down when somebody first asks for it. It changes
        nothing once the lease of the workflow has ended.

        :raises NotMineError: when only a taskmanager of another host, or with another provider, can act on it.
        """
        if self.instance.provider is None:
            self._place()
        env: Environment = self.ctx.env
        return Guarded(env.providers.of(self.instance.provider, self.instance.host), self.ctx.cancel)

    def _place(self) -> None:
        """Choose the provider, in a transaction of its own: it must be known before the first thing is made outside,
        and a checkpoint comes after that. It needs no fence, because the first choice holds, whoever makes it."""
        env: Environment = self.ctx.env
        chosen = env.providers.of(env.providers.default, None)
        with env.db.writer() as session:
            zone = self.instance.availability_zone
            Instance.place(session, self.id, provider=env.providers.default, host=chosen.host, zone=zone)
            found = Instance.get(session, Scope.ALL, self.id, include_deleted=True)
        self.instance.assign({"provider": found.provider, "host": found.host, "zone": found.zone})

    def _key(self, what: str) -> str:
        return f"{what} of instance {self.id}"


class MemberStep:
    """What steps that act on a member have in common. Like every step they hold no state."""

    name: str
    _of: Of | None = None

    def on(self, of: Of, name: str) -> Self:
        """Return the same step for another member.

        :param of: which one.
        :param name: of the step, which differs from those of all other steps of the flow.
        """
        other = copy.copy(self)
        other._of, other.name = of, name
        return other

    def member(self, ctx: StepContext) -> Member:
        """Return the member that this step acts on."""
        return Member(ctx, (self._of or own)(ctx))
