# SPDX-License-Identifier: Apache-2.0
"""Several steps as one."""

from typing import Any

from trove.workflow.model import Done, Result, Step, StepContext


class Together:
    """Steps that are carried out one after the other and share a checkpoint.

    For what takes milliseconds where it can be had at once: a checkpoint for each would cost more than the steps
    themselves. When one has to wait, or fails, the others are simply repeated or undone with it; each is made for that.
    They see what those before them have published (:attr:`trove.taskmanager.members.Member.instance`), and must not
    await signals.
    """

    def __init__(self, name: str, *members: Step) -> None:
        self.name = name
        self._members = members

    def run(self, ctx: StepContext) -> Result:
        output: dict[str, Any] = {}
        for member in self._members:
            result = member.run(ctx)
            if not isinstance(result, Done):
                return result
            output.update(result.output or {})
        return Done(output)

    def undo(self, ctx: StepContext) -> Result:
        for member in reversed(self._members):
            result = member.undo(ctx)
            if not isinstance(result, Done):
                return result
        return Done()
