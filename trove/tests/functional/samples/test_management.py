# SPDX-License-Identifier: Apache-2.0
"""Samples of what operators see and do, and of quotas."""

from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents


class ManagementSamples(base.SampleTestCase):
    def instance(self) -> str:
        """Return the id of an instance that is ready, and name its machine and volume."""
        instance_id = super().instance()
        shown = self.show(instance_id, app=self.admin)
        self.names |= {shown["server_id"]: base.SERVER, shown["volume_id"]: base.VOLUME}
        return instance_id

    @documents("mgmt_instances:index", newer="1.3")
    def test_list(self) -> None:
        self.instance()
        self.record("/mgmt/instances?deleted=False", app=self.admin)

    @documents("mgmt_instances:show", newer="1.3")
    def test_show(self) -> None:
        self.record(f"/mgmt/instances/{self.instance()}", app=self.admin)

    @documents("mgmt_instances:root")
    def test_root(self) -> None:
        self.record(f"/mgmt/instances/{self.instance()}/root", app=self.admin)

    @documents("mgmt_instances:rpc_ping")
    def test_ping(self) -> None:
        self.record(f"/mgmt/instances/{self.instance()}/rpc_ping", app=self.admin)

    @documents("mgmt_actions:run", "stop")
    def test_stop(self) -> None:
        self.record(f"/mgmt/instances/{self.instance()}/action", {"stop": {}}, app=self.admin)

    @documents("mgmt_actions:run", "reboot")
    def test_reboot(self) -> None:
        self.record(f"/mgmt/instances/{self.instance()}/action", {"reboot": {}}, app=self.admin)

    @documents("mgmt_actions:run", "migrate")
    def test_migrate(self) -> None:
        body = {"migrate": {"host": "compute-7"}}
        self.record(f"/mgmt/instances/{self.instance()}/action", body, app=self.admin)

    @documents("mgmt_actions:run", "reset")
    def test_reset(self) -> None:
        self.record(f"/mgmt/instances/{self.instance()}/action", {"reset-task-status": {}}, app=self.admin)


class QuotaSamples(base.SampleTestCase):
    @documents("quotas:show", newer="1.2")
    def test_show(self) -> None:
        self.instance()
        limits = {"quotas": {"instances:postgresql": 5}}
        self.call("PUT", f"/mgmt/quotas/{base.PROJECT}", limits, status=200, version="1.2", app=self.admin)
        self.record(f"/mgmt/quotas/{base.PROJECT}")

    @documents("quotas:update")
    def test_update(self) -> None:
        self.record(f"/mgmt/quotas/{base.PROJECT}", {"quotas": {"instances": 25, "volumes": 500}}, app=self.admin)


class EmptySamples(base.SampleTestCase):
    @documents("backups:index")
    def test_backups(self) -> None:
        self.record("/backups")

    @documents("backups:of_instance")
    def test_backups_of_an_instance(self) -> None:
        self.record(f"/instances/{self.instance()}/backups")

    @documents("backup_strategies:index")
    def test_strategies(self) -> None:
        self.record("/backup_strategies")

    @documents("backup_strategies:delete")
    def test_delete_a_strategy(self) -> None:
        self.record("/backup_strategies")

    @documents("clusters:index")
    def test_clusters(self) -> None:
        self.record("/clusters")

    @documents("mgmt_clusters:index")
    def test_all_clusters(self) -> None:
        self.record("/mgmt/clusters", app=self.admin)

    @documents("security_groups:index")
    def test_security_groups(self) -> None:
        self.record("/security-groups")
