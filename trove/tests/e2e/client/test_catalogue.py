# SPDX-License-Identifier: Apache-2.0
"""Datastores, versions, flavors and limits through the client."""

from trove.tests.e2e.client.base import ClientTestCase

_NOTHING = "00000000-0000-0000-0000-000000000000"


class CatalogueCommandsTest(ClientTestCase):
    def test_datastores(self) -> None:
        found = {row["Name"]: row["ID"] for row in self.works("datastore list")}
        self.assertLessEqual({"mariadb", "postgresql", "redis"}, set(found))
        by_name = self.works("datastore show", "postgresql")
        self.assertEqual(by_name, self.ask("datastore show", found["postgresql"]))
        versions = self.works("datastore version list", "postgresql")
        self.assertEqual(versions, self.ask("datastore version list", found["postgresql"]))
        self.assertIn(by_name["default_version"], {row["Name"] for row in versions})
        last = versions[-1]
        shown = self.works("datastore version show", last["Name"], "--datastore", "postgresql")
        self.assertEqual((last["ID"], True), (shown["id"], shown["active"]))
        self.assertEqual(shown, self.ask("datastore version show", last["ID"]))
        self.fails("datastore show", "nothing", says="No datastore with a name or ID of 'nothing' exists.")
        self.fails("datastore version list", "nothing", says="Datastore 'nothing' was not found", status=404)
        self.fails("datastore version show", _NOTHING, says="was not found", status=404)

    def test_a_datastore_of_ones_own(self) -> None:
        tags = ("--image-tags", "trove,redis", "--version-number", "7.0.15")
        self.works("datastore version create", "1.0", "spare", "redis", "", *tags)
        known = self.http.call("GET", "/mgmt/datastore-versions").json()["versions"]
        (made,) = [version for version in known if version["datastore_name"] == "spare"]
        self.assertEqual(("1.0", "spare", False), (made["name"], made["datastore_name"], made["active"]))
        self.works("datastore version set", made["id"], "--version-name", "1.1", "--enable", "--default")
        (listed,) = self.ask("datastore version list", "spare")
        self.assertEqual((made["id"], "1.1"), (listed["ID"], listed["Name"]))
        self.assertEqual("1.1", self.ask("datastore show", "spare")["default_version"])
        self.fails("datastore delete", "spare", says="still has versions", status=400)
        self.works("datastore version delete", made["id"])
        self.works("datastore delete", "spare")
        self.fails("datastore show", "spare", says="No datastore with a name or ID of 'spare' exists.")
        self.fails("datastore version create", "1.0", "spare", "nothing", "", *tags, says="nothing")
        self.fails("datastore delete", "spare", says="Datastore 'spare' was not found", status=404)
        self.fails("datastore version delete", _NOTHING, says="was not found", status=404)

    def test_flavors(self) -> None:
        listed = self.works("database flavor list")
        row = {"ID": 1, "Name": "db.tiny", "RAM": 512, "vCPUs": 1, "Disk": 5, "Ephemeral": 0}
        self.assertIn(row, listed)
        self.assertEqual("db.tiny", self.ask("database flavor show", "1")["name"])
        self.assertEqual(512, self.works("database flavor show", "db.tiny")["ram"])
        (version, *_others) = self.ask("datastore version list", "redis")
        of = ("--datastore-type", "redis", "--datastore-version-id", version["ID"])
        self.assertIn(row, self.ask("database flavor list", *of))
        self.fails("database flavor show", "nothing", says="No flavor with a name or ID of 'nothing' exists.")

    def test_limits(self) -> None:
        self.works("database limit list")
        self.assertRegex(self.last.stdout, r"max_instances +\| 100")
