# SPDX-License-Identifier: Apache-2.0
# covers: trove/taskmanager/flows
"""What workflows in flight rely on.

When a fingerprint changes, do not change it here: give the flow a new version (in :mod:`trove.domain.operations` too),
keep the old one registered until none is in flight, and add a line. Only what no workflow in flight can notice, like a
parameter or function under another name, may change a line.
"""

import dataclasses

from trove.domain import operations
from trove.taskmanager import flows
from trove.taskmanager.steps import together
from trove.tests import base
from trove.workflow import fingerprint
from trove.workflow.model import Parallel
from trove.workflow.registry import Registry

FINGERPRINTS = {
    "configuration.push/1": "1-8ccfb019642c9812",
    "database.create/1": "1-1333e6ce62751271",
    "database.delete/1": "1-10733f82c500a9ea",
    "datastore.stop/1": "1-7686a170c08532d8",
    "instance.configure/1": "1-c47e407def815720",
    "instance.create/1": "1-55bab03722afa7c3",
    "instance.delete/1": "1-db415ebe3793b8db",
    "instance.migrate/1": "1-37a36ab36a627b62",
    "instance.reboot/1": "1-6ea57393db13ed49",
    "instance.resize_flavor/1": "1-a6253e3c6b89aff8",
    "instance.resize_volume/1": "1-93ff01c7ecd1f046",
    "instance.restart/1": "1-6af33ef71117431a",
    "log.change/1": "1-613f37d29909e0fd",
    "log.publish/1": "1-f49f0258a0e63ab2",
    "module.remove/1": "1-344c72784030a5a4",
    "module.reapply/1": "1-f154123339b6a858",
    "module.withdraw/1": "1-6d1798b269aa0260",
    "module.apply/1": "1-e81d34d70f48fb52",
    "instance.update_access/1": "1-10341fee40ea8cd5",
    "root.disable/1": "1-a68287344bef661a",
    "root.enable/1": "1-41f1885cd2bf5bf6",
    "user.create/1": "1-ee4c119bf1df1864",
    "user.delete/1": "1-18c652ec4bc58e86",
    "user.grant/1": "1-8f6c56343351d6eb",
    "user.revoke/1": "1-1a5f8862482d2860",
    "user.update/1": "1-83103d3e4973a86d",
}


class TestFlows(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.registry = flows.register_all(Registry())

    def test_fingerprints(self) -> None:
        found = {f"{flow.kind}/{flow.version}": fingerprint.of(flow) for flow in self.registry.all_flows()}
        self.assertEqual(FINGERPRINTS, found)

    def test_every_kind_states_its_inputs(self) -> None:
        self.assertEqual([], [kind.name for kind in operations.KINDS.values() if kind.inputs is None])

    def test_a_member_of_a_step_made_of_others_counts(self) -> None:
        flow = self.registry.latest("instance.create")
        first = flow.steps[0]
        for n in range(len(first._members)):
            shorter = together.Together(first.name, *first._members[:n], *first._members[n + 1 :])
            changed = dataclasses.replace(flow, steps=(shorter, *flow.steps[1:]))
            self.assertNotEqual(fingerprint.of(flow), fingerprint.of(changed))

    def test_every_kind_can_be_run_in_the_version_it_is_submitted_with(self) -> None:
        for kind in operations.KINDS.values():
            flow = self.registry.get(kind.name, kind.version)
            self.assertEqual(kind.timeout, flow.timeout)
        self.assertEqual(set(operations.KINDS), {flow.kind for flow in self.registry.all_flows()})

    def test_every_step_has_one_class_of_its_own_name(self) -> None:
        names: dict[str, type] = {}
        for flow in self.registry.all_flows():
            for item in flow.steps:
                for step in item.members if isinstance(item, Parallel) else (item,):
                    self.assertIs(type(step), names.setdefault(step.name, type(step)))
                    self.assertRegex(step.name, r"^[a-z]+(-[a-z]+)*$")
                    self.assertTrue(type(step).__doc__)
