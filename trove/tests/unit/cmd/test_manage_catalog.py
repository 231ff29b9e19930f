# SPDX-License-Identifier: Apache-2.0
"""The catalogue as deployment tools fill it, with the installed plugins."""

import json
from pathlib import Path
from unittest import mock

from trove.common import ids
from trove.datastores import spi
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.tests.unit.cmd import case


class TestCatalog(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.manage("db_sync")
        found = [spi.EngineInstallation("16.4", Path("/usr/lib/postgresql/16"), "distribution")]
        self.enterContext(mock.patch.object(PostgreSQL, "detect", autospec=True, return_value=found))

    def versions(self) -> list[tuple[str, str, bool, bool, str]]:
        """Return datastore, version, default, active and source of every version."""
        rows = json.loads(self.done("datastore", "list", "--all", "--json"))
        return [tuple(row[key] for key in ("datastore", "version", "default", "active", "source")) for row in rows]

    def test_the_sequence_that_deployment_tools_run(self) -> None:
        image = ids.new_id()
        self.done("datastore_update", "mysql", "")
        self.done("datastore_version_update", "mysql", "8.0", "mysql", image, "", "1", "--image-tags", "trove,mysql")
        self.done("datastore_update", "mysql", "8.0")
        expected = [("mysql", "8.0", True, True, f"glance {image}")]
        self.assertEqual(expected, self.versions())
        self.done("datastore_version_update", "mysql", "8.0", "mysql", image, "", "1")
        self.done("datastore_update", "mysql", "")
        self.assertEqual(expected, self.versions())
        self.done("datastore_version_update", "mysql", "8.0", "mysql", image, "a,b", "0", "--version", "8.0")
        self.assertEqual([("mysql", "8.0", True, False, f"glance {image}")], self.versions())

    def test_an_engine_of_this_host_needs_no_image(self) -> None:
        out = self.done("datastore_version_update", "postgresql", "16", "postgresql", "", "", "true")
        self.assertIn("(distribution)", out)
        self.assertEqual([("postgresql", "16", False, True, "distribution")], self.versions())

    def test_two_numbers_of_one_name(self) -> None:
        for number in ("16.4", "16.5"):
            self.done(
                "datastore_version_update", "postgresql", "16", "postgresql", ids.new_id(), "", "1",
                "--version", number, "--registry-ext", "x", "--repl-strategy", "y",
            )  # fmt: skip
        self.assertEqual(2, len(self.versions()))
        self.assertIn("several versions named '16'", self.refused("datastore_update", "postgresql", "16"))

    def test_mistakes(self) -> None:
        for words, reason in (
            (("datastore_update", "postgresql", "99"), "has no version '99'"),
            (("datastore_version_update", "d", "1", "oracle", "", "", "1"), "installed are: mariadb, mysql"),
            (("datastore_version_update", "d", "1", "mysql", "latest", "", "1"), "image_id must be a UUID"),
            (("datastore_version_update", "d", "9", "postgresql", "", "", "1"), "Give image_id or --image-tags"),
        ):
            self.assertIn(reason, self.refused(*words))
        self.assertEqual([], self.versions())
        code, _, err = self.manage("datastore_version_update", "d", "1", "mysql", "", "", "maybe")
        self.assertEqual(2, code)
        self.assertIn("must be 1 or 0", err)
