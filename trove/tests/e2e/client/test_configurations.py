# SPDX-License-Identifier: Apache-2.0
"""Configuration groups and parameters through the client, on a real PostgreSQL."""

import json

from trove.tests.e2e import base
from trove.tests.e2e.client.base import ClientTestCase

_OF = ("--datastore", "postgresql", "--datastore-version", "18.4")


class ConfigurationCommandsTest(ClientTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.pg = self.world.instance("postgresql")

    def make(self, name: str, **values: object) -> str:
        """Make a group that is gone after the test, and return its id."""
        made = self.ask("database configuration create", name, json.dumps(values), *_OF)
        self.addCleanup(self.http.call, "DELETE", f"/configurations/{made['id']}")
        return str(made["id"])

    def setting(self, name: str) -> str:
        """Return what the engine has in force."""
        shown = self.http.wait_active(self.pg)
        ((value,),) = self.rows(self.connect(shown, "shop", "app", "app-secret"), f"show {name}")
        return str(value)

    def test_groups(self) -> None:
        made = self.works("database configuration create", "quick", '{"work_mem": 8192}', *_OF, "--description", "few")
        self.assertEqual(
            ("quick", "few", {"work_mem": 8192}),
            (made["name"], made["description"], json.loads(made["values"])),
        )
        # Everything that the client shows is in the list: one call, whatever the number of groups.
        (row,) = [row for row in self.works("database configuration list") if row["ID"] == made["id"]]
        self.assertEqual(
            ("quick", "few", "postgresql", "18.4"),
            (row["Name"], row["Description"], row["Datastore Name"], row["Datastore Version Number"]),
        )
        self.assertEqual(made["id"], self.works("database configuration show", "quick")["id"])

        self.works("database configuration attach", "postgresql", "quick")
        base.wait_until(lambda: self.setting("work_mem") == "8MB", "the group is in force")
        attached = self.works("database configuration instances", "quick")
        self.assertEqual([{"ID": self.pg, "Name": "postgresql"}], attached)
        self.assertEqual(made["id"], self.ask("database instance show", self.pg)["configuration"])
        self.fails("database configuration delete", "quick", says="instance", status=400)

        self.works("database configuration parameter set", made["id"], '{"maintenance_work_mem": 65536}')
        base.wait_until(lambda: self.setting("maintenance_work_mem") == "64MB", "the added value is in force")
        self.assertEqual("8MB", self.setting("work_mem"))
        self.works("database configuration set", made["id"], '{"work_mem": 16384}', "--description", "more")
        base.wait_until(lambda: self.setting("work_mem") == "16MB", "the new values are in force")

        self.works("database configuration detach", "postgresql")
        base.wait_until(lambda: self.setting("work_mem") not in ("8MB", "16MB"), "the group is not in force")
        self.assertNotIn("configuration", self.ask("database instance show", self.pg))
        self.works("database configuration delete", "quick")
        self.fails("database configuration show", "quick", says="No configuration with a name or ID of 'quick' exists.")

    def test_all_reasons_at_once(self) -> None:
        run = self.fails(
            "database configuration create", "wrong", '{"work_mem": "a lot", "nothing": 3}', *_OF, says="work_mem must",
            status=422,
        )  # fmt: skip
        self.assertIn("nothing is not a parameter", run.stderr)
        group = self.make("right", work_mem=8192)
        self.fails("database configuration parameter set", group, '{"work_mem": -7}', says="work_mem must", status=422)
        self.fails("database configuration set", "right", "{}", says="group right was not found", status=404)
        maria = self.world.instance("mariadb")
        self.fails("database configuration attach", maria, group, says="version", status=400)

    def test_names_and_pages(self) -> None:
        groups = [self.make(f"paged-{number}") for number in range(3)] + [self.make("paged-2")]
        self.fails(
            "database configuration show", "paged-2", says="More than one configuration exists with the name 'paged-2'."
        )
        first = self.ask("database configuration list", "--limit", "2")
        rest = self.ask("database configuration list", "--limit", "50", "--marker", first[-1]["ID"])
        self.assertEqual(2, len(first))
        self.assertLessEqual(set(groups), {row["ID"] for row in first + rest})
        self.assertEqual(set(), {row["ID"] for row in first} & {row["ID"] for row in rest})

    def test_parameters(self) -> None:
        default = self.works("database configuration default", "postgresql")
        self.assertEqual("replica", default["wal_level"])
        listed = {row["Name"]: row for row in self.works(
            "database configuration parameter list", "18.4", "--datastore", "postgresql"
        )}  # fmt: skip
        self.assertEqual(("integer", True), tuple(listed["max_connections"][k] for k in ("Type", "Restart Required")))
        (version,) = [v["ID"] for v in self.ask("datastore version list", "postgresql") if v["Name"] == "18.4"]
        self.assertEqual(len(listed), len(self.ask("database configuration parameter list", version)))
        shown = self.works(
            "database configuration parameter show", "18.4", "max_connections", "--datastore", "postgresql"
        )
        self.assertEqual(("max_connections", version), (shown["name"], shown["datastore_version_id"]))
        self.assertEqual(shown, self.ask("database configuration parameter show", version, "max_connections"))
        self.fails("database configuration parameter show", version, "nothing", says="'nothing'", status=404)
