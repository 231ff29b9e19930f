# SPDX-License-Identifier: Apache-2.0
"""The flows a worker knows, by kind and version.

A flow is registered once at start-up and checked then: names unique and short, pivot among the steps. Old versions stay
registered until none of them is in flight; a worker never claims a workflow whose kind and version it does not know, so
that an old and a new taskmanager can run side by side.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from trove.domain import operations
from trove.workflow.model import FROM_START, Flow, Parallel, Step

_NAME_MAX = 64


@dataclass(frozen=True)
class Plan:
    """A flow laid out for the engine: every step is a group, mostly of one member.

    :ivar pivot: index of the group after whose completion the flow no longer unwinds; -1: it never does;
        ``len(groups)``: it always can.
    :ivar steps: every step by name, in order.
    """

    flow: Flow
    groups: tuple[tuple[Step, ...], ...] = field(init=False)
    steps: dict[str, Step] = field(init=False)
    pivot: int = field(init=False)

    def __post_init__(self) -> None:
        flow = self.flow
        groups = tuple(item.members if isinstance(item, Parallel) else (item,) for item in flow.steps)
        steps = {step.name: step for group in groups for step in group}
        names = [item.name for item in flow.steps]
        label = f"flow {flow.kind} version {flow.version}"
        if not groups or not all(groups):
            raise ValueError(f"{label} has no steps, or a group without members")
        if len(steps) != sum(map(len, groups)) or len(set(names)) != len(names):
            raise ValueError(f"{label} uses a step name twice")
        if any(not name or len(name) > _NAME_MAX for name in (*steps, *names)):
            raise ValueError(f"{label}: step names have 1 to {_NAME_MAX} characters")
        kind = operations.KINDS.get(flow.kind)
        if kind is not None and kind.version == flow.version and kind.timeout != flow.timeout:
            raise ValueError(f"{label}: its timeout differs from the one that its kind is submitted with")
        if flow.pivot not in (None, FROM_START, *names):
            raise ValueError(f"{label}: the pivot {flow.pivot} is not one of its steps")
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "steps", steps)
        pivots = {None: len(groups), FROM_START: -1}
        object.__setattr__(self, "pivot", pivots[flow.pivot] if flow.pivot in pivots else names.index(str(flow.pivot)))


class Registry:
    """Flows by kind and version; filled before the workers start, only read afterwards."""

    def __init__(self, flows: Iterable[Flow] = ()) -> None:
        self._plans: dict[tuple[str, int], Plan] = {}
        for flow in flows:
            self.register(flow)

    def register(self, flow: Flow) -> None:
        """Add a flow.

        :raises ValueError: when it is malformed or its kind and version are taken.
        """
        if (flow.kind, flow.version) in self._plans:
            raise ValueError(f"flow {flow.kind} version {flow.version} is already registered")
        self._plans[flow.kind, flow.version] = Plan(flow)

    def plan(self, kind: str, version: int) -> Plan:
        """Return the layout of a flow.

        :raises KeyError: when it is not registered.
        """
        return self._plans[kind, version]

    def get(self, kind: str, version: int) -> Flow:
        """Return a flow.

        :raises KeyError: when it is not registered.
        """
        return self._plans[kind, version].flow

    def latest(self, kind: str) -> Flow:
        """Return the newest version of a kind.

        :raises KeyError: when no version is registered.
        """
        versions = [version for name, version in self._plans if name == kind]
        if not versions:
            raise KeyError(kind)
        return self._plans[kind, max(versions)].flow

    def all_flows(self) -> tuple[Flow, ...]:
        """Return every registered flow, by kind and version."""
        return tuple(self._plans[key].flow for key in sorted(self._plans))

    def keys(self) -> tuple[tuple[str, int], ...]:
        """Return ``(kind, version)`` of every flow: what a worker may claim."""
        return tuple(sorted(self._plans))
