# SPDX-License-Identifier: Apache-2.0
"""Samples of modules and of the modules of an instance."""

import base64
from typing import Any

from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents

CONTENTS = base64.b64encode(b"message=hello\n").decode()


class ModuleSamples(base.SampleTestCase):
    def body(self, **more: Any) -> dict[str, Any]:
        """Return a body that makes a module."""
        module = {
            "name": "greeting",
            "module_type": "ping",
            "contents": CONTENTS,
            "description": "Says hello",
            "datastore": {"type": "postgresql"},
            "live_update": 1,
            **more,
        }
        return {"module": module}

    def module(self) -> str:
        """Make a module and return its id."""
        made = self.call("POST", "/modules", self.body(), status=200).json["module"]
        self.names[made["id"]] = base.MODULE
        return str(made["id"])

    def applied(self) -> tuple[str, str]:
        """Return the ids of an instance and of the module that it has."""
        module_id = self.module()
        instance_id = self.active(modules=[{"id": module_id}])
        self.names[instance_id] = base.INSTANCE
        self.names[self.show(instance_id)["ip"][0]] = base.ADDRESS
        return instance_id, module_id

    def answer_at_once(self) -> None:
        """Have the guest answer while the request is still waiting for it."""
        self.hints.wake = lambda workflow_id: self.settle()  # type: ignore[method-assign]

    @documents("modules:index")
    def test_list(self) -> None:
        self.module()
        self.record("/modules?datastore=postgresql")

    @documents("modules:create")
    def test_create(self) -> None:
        self.record("/modules", self.body())

    @documents("modules:show")
    def test_show(self) -> None:
        self.record(f"/modules/{self.applied()[1]}")

    @documents("modules:update")
    def test_update(self) -> None:
        contents = base64.b64encode(b"message=good morning\n").decode()
        self.record(f"/modules/{self.module()}", {"module": {"contents": contents, "all_datastores": 1}})

    @documents("modules:delete")
    def test_delete(self) -> None:
        self.record(f"/modules/{self.module()}")

    @documents("modules:instances")
    def test_instances(self) -> None:
        self.record(f"/modules/{self.applied()[1]}/instances?count_only=True")

    @documents("modules:reapply")
    def test_reapply(self) -> None:
        body = {"reapply": {"batch_size": 10, "batch_delay": 5}}
        self.record(f"/modules/{self.applied()[1]}/instances", body)

    @documents("instance_modules:index")
    def test_list_of_instance(self) -> None:
        self.record(f"/instances/{self.applied()[0]}/modules?from_guest=True&include_contents=True")

    @documents("instance_modules:apply")
    def test_apply(self) -> None:
        module_id, instance_id = self.module(), self.instance()
        self.answer_at_once()
        self.record(f"/instances/{instance_id}/modules", {"modules": [{"id": module_id}]})

    @documents("instance_modules:remove")
    def test_remove(self) -> None:
        instance_id, module_id = self.applied()
        self.answer_at_once()
        self.record(f"/instances/{instance_id}/modules/{module_id}")
