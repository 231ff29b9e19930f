# SPDX-License-Identifier: Apache-2.0
"""Samples of instances, the actions on them, and their operations."""

from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents


class InstanceSamples(base.SampleTestCase):
    @documents("instances:index", newer="1.1")
    def test_list(self) -> None:
        self.instance()
        self.record("/instances")

    @documents("instances:detail", newer="1.1")
    def test_detail(self) -> None:
        self.instance()
        self.record("/instances/detail?limit=20")

    @documents("instances:create")
    def test_create(self) -> None:
        self.record("/instances", self.wanted())

    @documents("instances:show", newer="1.1")
    def test_show(self) -> None:
        self.record(f"/instances/{self.instance()}")

    @documents("instances:update")
    def test_update(self) -> None:
        self.record(f"/instances/{self.instance()}", {"instance": {"name": "sales"}})

    @documents("instances:edit")
    def test_edit(self) -> None:
        self.record(f"/instances/{self.instance()}", {"instance": {"name": "sales"}})

    @documents("instances:delete")
    def test_delete(self) -> None:
        self.record(f"/instances/{self.instance()}")


class ActionSamples(base.SampleTestCase):
    @documents("instance_actions:run", "restart")
    def test_restart(self) -> None:
        self.record(f"/instances/{self.instance()}/action", {"restart": {}})

    @documents("instance_actions:run", "resize-volume")
    def test_resize_volume(self) -> None:
        self.record(f"/instances/{self.instance()}/action", {"resize": {"volume": {"size": 4}}})

    @documents("instance_actions:run", "resize-flavor")
    def test_resize_flavor(self) -> None:
        self.record(f"/instances/{self.instance()}/action", {"resize": {"flavorRef": "3"}})

    @documents("instance_actions:run", "reset-status")
    def test_reset_status(self) -> None:
        self.record(f"/instances/{self.instance()}/action", {"reset_status": {}}, app=self.admin)

    @documents("instance_actions:run", "force-delete")
    def test_force_delete(self) -> None:
        self.record(f"/instances/{self.instance()}/action", {"reset_status": {"force_delete": True}})


class OperationSamples(base.SampleTestCase):
    def operation(self) -> tuple[str, str]:
        """Return the ids of an instance and of its one operation."""
        instance_id = self.instance()
        (workflow,) = self.workflows(instance_id)
        self.names[workflow["id"]] = base.OPERATION
        return instance_id, workflow["id"]

    @documents("operations:index")
    def test_list(self) -> None:
        instance_id, _ = self.operation()
        self.record(f"/instances/{instance_id}/operations")

    @documents("operations:show")
    def test_show(self) -> None:
        instance_id, operation_id = self.operation()
        self.record(f"/instances/{instance_id}/operations/{operation_id}")
