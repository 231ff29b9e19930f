# SPDX-License-Identifier: Apache-2.0
"""Samples of what is inside an instance: databases, users, access, root."""

from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents


class DatabaseSamples(base.SampleTestCase):
    @documents("databases:index", newer="1.1")
    def test_list(self) -> None:
        databases = [{"name": "archive", "character_set": "UTF8", "collate": "C"}, {"name": "shop"}]
        instance_id = self.active(databases=databases)
        self.names[instance_id] = base.INSTANCE
        self.record(f"/instances/{instance_id}/databases?limit=1")

    @documents("databases:show", newer="1.1")
    def test_show(self) -> None:
        self.record(f"/instances/{self.instance()}/databases/shop")

    @documents("databases:create", newer="1.3")
    def test_create(self) -> None:
        body = {"databases": [{"name": "invoices", "character_set": "UTF8", "collate": "C"}, {"name": "reports"}]}
        self.record(f"/instances/{self.instance()}/databases", body, again={"databases": [{"name": "archive"}]})

    @documents("databases:delete")
    def test_delete(self) -> None:
        self.record(f"/instances/{self.instance()}/databases/shop")


class UserSamples(base.SampleTestCase):
    @documents("users:index")
    def test_list(self) -> None:
        self.record(f"/instances/{self.instance()}/users")

    @documents("users:show")
    def test_show(self) -> None:
        self.record(f"/instances/{self.instance()}/users/app")

    @documents("users:create")
    def test_create(self) -> None:
        user = {"name": "report", "password": "battery-staple-7", "databases": [{"name": "shop"}]}
        self.record(f"/instances/{self.instance()}/users", {"users": [user]})

    @documents("users:create_one")
    def test_create_one(self) -> None:
        user = {"name": "report", "password": "battery-staple-7"}
        self.record(f"/instances/{self.instance()}/users/report", {"users": user})

    @documents("users:update_all")
    def test_update_all(self) -> None:
        body = {"users": [{"name": "app", "password": "another-horse-43"}]}
        instance_id = self.instance()
        self.answer_at_once()
        self.record(f"/instances/{instance_id}/users", body)

    @documents("users:update")
    def test_update(self) -> None:
        body = {"user": {"name": "web", "password": "another-horse-43"}}
        instance_id = self.instance()
        self.answer_at_once()
        self.record(f"/instances/{instance_id}/users/app", body)

    @documents("users:delete")
    def test_delete(self) -> None:
        instance_id = self.instance()
        self.answer_at_once()
        self.record(f"/instances/{instance_id}/users/app")


class AccessSamples(base.SampleTestCase):
    @documents("user_access:index")
    def test_list(self) -> None:
        self.record(f"/instances/{self.instance()}/users/app/databases")

    @documents("user_access:update")
    def test_grant(self) -> None:
        instance_id = self.active(databases=[{"name": "shop"}, {"name": "invoices"}])
        self.record(f"/instances/{instance_id}/users/app/databases", {"databases": [{"name": "invoices"}]})

    @documents("user_access:delete")
    def test_revoke(self) -> None:
        instance_id = self.instance()
        self.answer_at_once()
        self.record(f"/instances/{instance_id}/users/app/databases/shop")


class RootSamples(base.SampleTestCase):
    @documents("root:index")
    def test_show(self) -> None:
        self.record(f"/instances/{self.instance()}/root")

    @documents("root:create")
    def test_enable(self) -> None:
        instance_id = self.instance()
        self.answer_at_once()
        self.record(f"/instances/{instance_id}/root", {"password": "staple-horse-99"})

    @documents("root:delete")
    def test_disable(self) -> None:
        instance_id = self.instance()
        self.answer_at_once()
        self.call("POST", f"/instances/{instance_id}/root", status=200)
        self.record(f"/instances/{instance_id}/root")
