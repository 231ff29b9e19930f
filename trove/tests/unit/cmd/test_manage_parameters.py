# SPDX-License-Identifier: Apache-2.0
"""Rules of parameters from a file, with the installed plugins."""

import json
from pathlib import Path
from typing import Any

from trove.common import ids
from trove.datastores import parameters
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.db.api import Database
from trove.objects import catalog, parameter_rule
from trove.tests.unit.cmd import case

GOOD = {"name": "Work_Mem", "type": "integer", "restart_required": True, "min": 64, "max": 128}


class TestParameters(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.manage("db_sync")
        self.done("datastore_version_update", "postgresql", "16", "postgresql", ids.new_id(), "", "1")
        self.db = Database(f"sqlite:///{self.database}")
        self.addCleanup(self.db.dispose)
        self.file = self.tempdir() / "rules.json"

    def write(self, *entries: Any) -> str:
        self.file.write_text(json.dumps({"configuration-parameters": entries}))
        return str(self.file)

    def load(self, *entries: Any) -> str:
        path = self.write(*entries)
        return self.done("db_load_datastore_config_parameters", "postgresql", "16", path)

    def merged(self) -> parameters.Parameters:
        with self.db.reader() as session:
            version = catalog.resolve_version(session, "postgresql", "16")
            return parameters.merge(PostgreSQL().parameters("16"), parameter_rule.of_version(session, version.id))

    def test_loading_is_repeatable(self) -> None:
        own = {"name": "my.own", "type": "list", "restart_required": False, "max": 7}
        gone = {"name": "autovacuum", "type": "boolean", "restart_required": False, "deleted_at": "2020-01-01"}
        for _ in range(2):
            self.assertIn("3 parameters loaded for version '16'", self.load(GOOD, own, gone))
            found = self.merged()
            changed = found["work_mem"]
            self.assertEqual((64, 128, True, "kB"), (changed.min, changed.max, changed.restart, changed.unit))
            self.assertEqual(parameters.Parameter("my.own", "string"), found["my.own"])
            self.assertNotIn("autovacuum", found)
        self.load({**GOOD, "max": 256})
        self.assertEqual(256, self.merged()["work_mem"].max)
        for count in (3, 0):
            words = ("db_remove_datastore_config_parameters", "postgresql", "16", "--version", "16")
            self.assertIn(f"{count} parameters removed", self.done(*words))
            self.assertEqual(PostgreSQL().parameters("16"), self.merged())

    def test_what_the_service_needs_is_left_out(self) -> None:
        out = self.load({**GOOD, "name": "PORT"}, GOOD)
        self.assertIn("port: managed by the service, left out", out)
        self.assertIn("1 parameters loaded", out)
        self.assertIs(True, self.merged()["port"].protected)

    def test_every_mistake_is_told_at_once(self) -> None:
        wrong = (
            (7, "must be an object"),
            ({**GOOD, "surprise": 1}, "'surprise' is not a member"),
            ({**GOOD, "name": "a b"}, "name must have"),
            ({**GOOD, "type": "text"}, "type must be one of"),
            ({**GOOD, "restart_required": "no"}, "restart_required must be"),
            ({**GOOD, "min": "1"}, "min must be a number"),
            ({**GOOD, "max": 0.5}, "max must be a number"),
            ({**GOOD, "max": 2**70}, "of at most 64 bits"),
            ({**GOOD, "max": 1}, "max must not be less than min"),
            (GOOD, ""),
            ({**GOOD, "name": "work-mem"}, "given before"),
        )
        path = self.write(*(entry for entry, _ in wrong))
        said = self.refused("db_load_datastore_config_parameters", "postgresql", "16", path)
        for number, (_, reason) in enumerate(wrong, 1):
            self.assertEqual(bool(reason), f"entry {number}" in said.replace(f"entry {number}0", ""))
            self.assertIn(reason, said)
        self.assertEqual(PostgreSQL().parameters("16"), self.merged())

    def test_files_that_cannot_be_read(self) -> None:
        for content in ("", "[]", "{}", '{"configuration-parameters": {}}', "\xff"):
            self.file.write_text(content, encoding="latin-1")
            self.refused("db_load_datastore_config_parameters", "postgresql", "16", str(self.file))
        missing = str(Path(self.file).with_name("none"))
        self.assertIn("none", self.refused("db_load_datastore_config_parameters", "postgresql", "16", missing))
        path = self.write(GOOD)
        for words in (("nothing", "16"), ("postgresql", "0"), ("postgresql", "16", "--version", "9")):
            self.refused("db_load_datastore_config_parameters", *words[:2], path, *words[2:])
            self.refused("db_remove_datastore_config_parameters", *words)
