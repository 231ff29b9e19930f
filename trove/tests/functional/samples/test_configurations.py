# SPDX-License-Identifier: Apache-2.0
"""Samples of configuration groups and of the parameters that they may set."""

from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents

#: A few of the several hundred parameters, so that a sample of the list can be read.
_FEW = ("autovacuum", "max_connections", "work_mem")


class ParameterSamples(base.SampleTestCase):
    def few(self) -> str:
        """Take all parameters but a few away, as an operator may; return the path of the version."""
        path = f"/datastores/versions/{self.version.id}/parameters"
        for item in self.call("GET", path, status=200).json["configuration-parameters"]:
            if item["name"] not in _FEW:
                self.call("DELETE", f"/mgmt{path}/{item['name']}", status=204, app=self.admin)
        return path

    @documents("parameters:index")
    def test_list(self) -> None:
        self.few()
        self.record("/datastores/postgresql/versions/18.4/parameters")

    @documents("parameters:show")
    def test_show(self) -> None:
        self.record("/datastores/postgresql/versions/18.4/parameters/max_connections")

    @documents("parameters:index_by_version")
    def test_list_by_version(self) -> None:
        self.record(self.few())

    @documents("parameters:show_by_version")
    def test_show_by_version(self) -> None:
        self.record(f"/datastores/versions/{self.version.id}/parameters/work_mem")

    @documents("mgmt_parameters:index")
    def test_managed_list(self) -> None:
        self.record(f"/mgmt{self.few()}", app=self.admin)

    @documents("mgmt_parameters:show")
    def test_managed(self) -> None:
        self.record(f"/mgmt/datastores/versions/{self.version.id}/parameters/max_connections", app=self.admin)

    @documents("mgmt_parameters:create")
    def test_add(self) -> None:
        body = {"name": "pg_hint.limit", "data_type": "integer", "restart_required": 0, "max_size": 64, "min_size": 1}
        path = f"/mgmt/datastores/versions/{self.version.id}/parameters"
        self.record(path, {"configuration-parameter": body}, app=self.admin)

    @documents("mgmt_parameters:update")
    def test_change(self) -> None:
        body = {
            "name": "max_connections",
            "data_type": "integer",
            "restart_required": 1,
            "max_size": 500,
            "min_size": 5,
        }
        path = f"/mgmt/datastores/versions/{self.version.id}/parameters/max_connections"
        self.record(path, {"configuration-parameter": body}, app=self.admin)

    @documents("mgmt_parameters:delete")
    def test_take_away(self) -> None:
        self.record(f"/mgmt/datastores/versions/{self.version.id}/parameters/work_mem", app=self.admin)


class ConfigurationSamples(base.SampleTestCase):
    def group(self) -> str:
        """Return the id of a group."""
        values = {"work_mem": "16MB", "max_connections": 100}
        body = {"name": "reports", "description": "for large sorts", "values": values}
        made = self.call("POST", "/configurations", {"configuration": body}, status=200).json["configuration"]
        self.names[made["id"]] = base.CONFIGURATION
        return str(made["id"])

    @documents("configurations:index")
    def test_list(self) -> None:
        self.group()
        self.record("/configurations")

    @documents("configurations:create")
    def test_create(self) -> None:
        body = {
            "name": "reports",
            "description": "for large sorts",
            "datastore": {"type": "postgresql", "version": "18.4"},
            "values": {"work_mem": "16MB", "max_connections": 100},
        }
        self.record("/configurations", {"configuration": body})

    @documents("configurations:show")
    def test_show(self) -> None:
        self.record(f"/configurations/{self.group()}")

    @documents("configurations:update")
    def test_replace(self) -> None:
        body = {"name": "sorts", "description": "for larger sorts", "values": {"work_mem": "64MB"}}
        self.record(f"/configurations/{self.group()}", {"configuration": body})

    @documents("configurations:edit")
    def test_set_some(self) -> None:
        self.record(f"/configurations/{self.group()}", {"configuration": {"values": {"work_mem": "64MB"}}})

    @documents("configurations:delete")
    def test_delete(self) -> None:
        self.record(f"/configurations/{self.group()}")

    @documents("configurations:instances")
    def test_instances(self) -> None:
        group_id = self.group()
        instance_id = self.create(configuration=group_id)["id"]
        self.names[instance_id] = base.INSTANCE
        self.record(f"/configurations/{group_id}/instances")

    @documents("configurations:history")
    def test_history(self) -> None:
        group_id = self.group()
        body = {"configuration": {"values": {"work_mem": "64MB"}}}
        self.call("PATCH", f"/configurations/{group_id}", body, status=200)
        self.record(f"/configurations/{group_id}/history")

    @documents("instances:configuration")
    def test_default(self) -> None:
        instance_id = self.create()["id"]
        self.names[instance_id] = base.INSTANCE
        self.record(f"/instances/{instance_id}/configuration")
