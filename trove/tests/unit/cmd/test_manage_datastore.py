# SPDX-License-Identifier: Apache-2.0
"""``trove-manage datastore list``, with the installed plugins and a database of its own."""

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

from trove.cmd import manage_datastore
from trove.common import ids
from trove.datastores import registry, spi
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.objects import catalog
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture

HOME = Path("/usr/lib/postgresql/15")


class TestManageDatastore(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.useFixture(DatabaseFixture("sqlite")).db
        plugin: Any = PostgreSQL()
        plugins = {"postgresql": plugin}
        self.enterContext(mock.patch.object(registry, "load_plugins", autospec=True, return_value=plugins))
        found = [spi.EngineInstallation("15.18", HOME, "distribution")]
        self.enterContext(mock.patch.object(PostgreSQL, "detect", autospec=True, return_value=found))
        runs = (spi.RealRun("17", "core", "2026-01-01"), spi.RealRun("17.2", "full", "2026-02-01"))
        self.enterContext(mock.patch.object(PostgreSQL, "tested", runs, create=True))
        self.register("15.18", engine_home=str(HOME), default=True)
        self.register("17.2", engine_home="/usr", root_image="trixie")
        self.register("17.9", engine_home="/gone")
        self.register("18", image_id=ids.new_id(), active=False)
        self.register("1", datastore="odd", manager="none")

    def register(self, name: str, **details: Any) -> None:
        with self.db.writer() as session:
            given = {"datastore": "postgresql", "manager": "postgresql", "name": name, **details}
            catalog.register_version(session, **given)

    def manage(self, *argv: str) -> str:
        parser = argparse.ArgumentParser()
        manage_datastore.add_parser(parser.add_subparsers())
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(0, manage_datastore.run(self.db, parser.parse_args(["datastore", "list", *argv])))
        return out.getvalue()

    def test_where_a_version_comes_from_and_how_it_is_tested(self) -> None:
        rows = {row["version"]: row for row in json.loads(self.manage("--json", "--all"))}
        self.assertEqual(
            {
                "15.18": ("distribution", "never"),
                "17.2": ("image trixie", "full, 2026-02-01"),
                "17.9": ("not found", "core, 2026-01-01"),
            },
            {name: (rows[name]["source"], rows[name]["tested"]) for name in ("15.18", "17.2", "17.9")},
        )
        self.assertTrue(rows["18"]["source"].startswith("glance "))
        self.assertEqual(["no plugin"], rows["1"]["capabilities"])
        self.assertIn("databases", rows["17.2"]["capabilities"])

    def test_a_table_of_what_is_active(self) -> None:
        lines = self.manage().splitlines()
        self.assertEqual(["datastore", "version", "default"], lines[0].split()[:3])
        self.assertEqual(["1", "15.18", "17.2", "17.9"], sorted(line.split()[1] for line in lines[1:]))
        (default,) = [line for line in lines if " 15.18 " in line]
        self.assertEqual(["yes", "yes", "distribution", "never"], default.split()[2:6])
