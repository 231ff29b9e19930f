# SPDX-License-Identifier: Apache-2.0
"""An engine with users and without databases (Redis): what works, and what is refused, naming what it lacks."""

from typing import Any

from trove.datastores import spi
from trove.datastores.redis.plugin import Redis
from trove.tests.functional.api import world

PASSWORD = "s3cret-Pa55word"


class CapabilitiesTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.seed(datastore="redis", name="7", manager="redis", default=True)

    def plugins(self) -> dict[str, spi.Plugin]:
        """Return Redis too."""
        return {**super().plugins(), "redis": Redis()}

    def refused_create(self, **changes: Any) -> str:
        """Have a create request refused."""
        body = self.wanted(datastore={"type": "redis"}, **changes)
        return self.refused("POST", "/instances", body, status=501)

    def test_create(self) -> None:
        self.assertIn("'databases'", self.refused_create(databases=[{"name": "shop"}]))
        user = {"name": "ann", "password": PASSWORD}
        self.assertIn("'access'", self.refused_create(users=[{**user, "databases": [{"name": "shop"}]}]))
        # As clients send it when nothing is to be granted.
        self.active(datastore={"type": "redis"}, databases=[], users=[{**user, "databases": []}])

    def test_inside(self) -> None:
        path = f"/instances/{self.active(datastore={'type': 'redis'})}"
        user: dict[str, Any] = {"name": "ann", "password": PASSWORD}
        granted = {**user, "databases": [{"name": "shop"}]}
        for capability, method, where, body in (
            ("databases", "POST", "/databases", {"databases": [{"name": "shop"}]}),
            ("databases", "DELETE", "/databases/shop", None),
            ("access", "POST", "/users", {"users": [user | {"name": "bob"}, granted]}),
            ("access", "PUT", "/users/ann/databases", {"databases": [{"name": "shop"}]}),
            ("access", "DELETE", "/users/ann/databases/shop", None),
        ):
            message = self.refused(method, path + where, body, status=501)
            self.assertIn(f"'redis' does not have the capability '{capability}'", message, where)
        told = [record for record in self.logs.records if "does not have the capability" in record.getMessage()]
        self.assertEqual({"INFO"}, {record.levelname for record in told}, "a refusal that is right is no error")
        self.call("POST", f"{path}/users", {"users": [{**user, "databases": []}]}, status=202)
        self.settle()
        listed = self.call("GET", f"{path}/users", status=200).json
        self.assertEqual({"users": [{"name": "ann", "host": "%", "databases": []}]}, listed)
        self.call("GET", f"{path}/users/ann", status=200)
        for nothing in ("/databases", "/users/ann/databases"):
            self.assertEqual({"databases": []}, self.call("GET", path + nothing, status=200).json)
        self.call("GET", f"{path}/users/bob/databases", status=404)
        self.call("DELETE", f"{path}/users/ann", status=202)
