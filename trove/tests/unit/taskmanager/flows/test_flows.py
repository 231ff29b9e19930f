# SPDX-License-Identifier: Apache-2.0
# covers: trove/taskmanager/flows
"""What workflows in flight rely on.

When a fingerprint changes, do not change it here: give the flow a new version (in :mod:`trove.domain.operations` too),
keep the old one registered until none is in flight, and add a line.
"""

from trove.domain import operations
from trove.taskmanager import flows
from trove.tests import base
from trove.workflow import testing
from trove.workflow.model import Parallel
from trove.workflow.registry import Registry

FINGERPRINTS = {
    "database.create/1": "1-94f27656466cb55f",
    "database.delete/1": "1-f5901d57c91f6338",
    "datastore.stop/1": "1-023a417e9c4232b4",
    "instance.configure/1": "1-4c3f5870a0060a61",
    "instance.create/1": "1-a4a43e3195767bab",
    "instance.delete/1": "1-8d1ce6de1366eb15",
    "instance.migrate/1": "1-d2a763a68e45d97d",
    "instance.reboot/1": "1-0f38d742a0e30f41",
    "instance.resize_flavor/1": "1-b4e529143beff164",
    "instance.resize_volume/1": "1-a3155ba81f8a0adb",
    "instance.restart/1": "1-05d6ed03dde69d86",
    "log.change/1": "1-3721449cb3f4ebd2",
    "log.publish/1": "1-3a68bb129d14021f",
    "module.remove/1": "1-298188b8c57ca947",
    "module.reapply/1": "1-cfcfcb5c65720737",
    "module.apply/1": "1-f17513744fdc304b",
    "instance.update_access/1": "1-dd066ac0a6f13450",
    "root.disable/1": "1-c8a9654e91cf1567",
    "root.enable/1": "1-134cf24f374eaf88",
    "user.create/1": "1-0c48d7823d49a589",
    "user.delete/1": "1-be483280ac9ab4dc",
    "user.grant/1": "1-365f14fb03d910e4",
    "user.revoke/1": "1-a6992597ea5767d5",
    "user.update/1": "1-b9abd814bdd3cfe8",
}


class TestFlows(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.registry = flows.register_all(Registry())

    def test_fingerprints(self) -> None:
        found = {f"{flow.kind}/{flow.version}": testing.fingerprint(flow) for flow in self.registry.all_flows()}
        self.assertEqual(FINGERPRINTS, found)

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
