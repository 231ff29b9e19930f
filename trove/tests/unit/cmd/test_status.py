# SPDX-License-Identifier: Apache-2.0
"""``trove-status upgrade check``, through its parser and on a real database."""

import contextlib
import datetime
import io
import json
import pathlib
from typing import Any

import sqlalchemy as sa

from trove.certificates.authority import FileAuthority, Purpose, Request
from trove.cmd import status
from trove.common import clock, ids
from trove.db import crypto, migration, models
from trove.db.api import Database
from trove.objects import catalog
from trove.tests import base
from trove.tests.fixtures import rows
from trove.tests.fixtures.clock import ManualClock

SUCCESS, WARNING, FAILURE = 0, 1, 2


class TestStatus(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory: pathlib.Path = self.tempdir()
        self.file = self.directory / "trove.conf"
        self.url = f"sqlite:///{self.directory}/trove.sqlite"
        self.db = Database(self.url)
        self.addCleanup(self.db.dispose)
        crypto.KeyEncryptionKey.create_file(self.directory / "key")
        self.configure()

    def configure(self, more: str = "", connection: str | None = None) -> None:
        """Write the configuration file."""
        self.file.write_text(
            "[oslo_policy]\nenforce_new_defaults = true\n"
            f"[DEFAULT]\ntransport_url = rabbit://broker/\n{more}\n[database]\nconnection = {connection or self.url}\n"
            f"[security]\nkey_encryption_key_file = {self.directory}/key\nciphertext_version = 2\n"
            f"[oslo_policy]\npolicy_file = {self.directory}/policy.yaml\n"
        )

    def check(self) -> tuple[int, dict[str, tuple[int, str]]]:
        """Run all checks; return the exit code, and code and details of each."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = status.main(["--config-file", str(self.file), "upgrade", "check", "--json"])
        checks: list[dict[str, Any]] = json.loads(out.getvalue())["checks"]
        return code, {item["check"]: (item["result"], item["details"] or "") for item in checks}

    def test_all_is_well(self) -> None:
        migration.upgrade(self.db)
        (self.directory / "policy.yaml").write_text('"mine": "role:boss"\n"instance:create": "rule:mine"\n')
        code, found = self.check()
        self.assertEqual({(SUCCESS, "")}, set(found.values()), found)
        self.assertEqual((SUCCESS, 8), (code, len(found)))

    def test_a_table_for_people(self) -> None:
        migration.upgrade(self.db)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(SUCCESS, status.main(["--config-file", str(self.file), "upgrade", "check"]))
        self.assertIn("Check: Key-encryption key", out.getvalue())

    def test_the_schema(self) -> None:
        code, found = self.check()
        self.assertEqual(FAILURE, code)
        self.assertIn("run: trove-manage db_sync", found["Database schema"][1])
        self.assertIn("not looked at, because the database has no schema", found["Work in progress"][1])

    def test_a_database_that_is_away(self) -> None:
        self.configure(connection="sqlite:////nonexistent/trove.sqlite")
        _, found = self.check()
        self.assertIn("cannot be used", found["Database schema"][1])
        self.assertEqual(FAILURE, found["Datastore plugins"][0])

    def test_the_key(self) -> None:
        migration.upgrade(self.db)
        (self.directory / "key").chmod(0o644)
        self.assertIn("chmod 600", self.check()[1]["Key-encryption key"][1])
        (self.directory / "key").unlink()
        code, found = self.check()
        self.assertEqual((FAILURE, FAILURE), (code, found["Key-encryption key"][0]))

    def test_values_that_are_not_bound_to_their_rows(self) -> None:
        migration.upgrade(self.db)
        self.file.write_text(self.file.read_text().replace("ciphertext_version = 2", "ciphertext_version = 1"))
        code, found = self.check()
        self.assertEqual((WARNING, WARNING), (code, found["Key-encryption key"][0]))
        self.assertIn("ciphertext_version", found["Key-encryption key"][1])

    def test_certificates(self) -> None:
        migration.upgrade(self.db)
        hands = self.useFixture(ManualClock())
        path = self.directory / "gateway.pem"
        self.configure(f"api_cert_file = {path}\napi_key_file = {path}")
        self.assertEqual(FAILURE, self.check()[1]["Certificates"][0])
        authority = FileAuthority(self.directory / "authority")
        for days, expected in ((30, SUCCESS), (20, WARNING)):
            lifetime = datetime.timedelta(days=days)
            path.write_text(authority.issue(Request(Purpose.SERVER, "api", ("a.example",), lifetime)).certificate)
            self.assertEqual(expected, self.check()[1]["Certificates"][0])
        hands.advance(21 * 86400)
        result, details = self.check()[1]["Certificates"]
        self.assertEqual((FAILURE, True), (result, "has expired" in details))

    def test_the_policy_file(self) -> None:
        migration.upgrade(self.db)
        path = self.directory / "policy.yaml"
        for text, expected, words in (
            ('{"admin": "role:admin"}', FAILURE, "JSON"),
            ('"instance:creat": "role:boss"\n', WARNING, "rule instance:creat"),
            ("- a\n- b\n", FAILURE, "must map"),
            ("a: [", FAILURE, "cannot be read as YAML"),
        ):
            path.write_text(text)
            result, details = self.check()[1]["Policy file"]
            self.assertEqual(expected, result, text)
            self.assertIn(words, details)

    def test_the_options(self) -> None:
        migration.upgrade(self.db)
        self.configure("trove_api_workers = 4")
        code, found = self.check()
        self.assertEqual((WARNING, WARNING), (code, found["Configuration options"][0]))
        self.assertIn("trove_api_workers has no effect", found["Configuration options"][1])

    def test_work_of_another_release(self) -> None:
        migration.upgrade(self.db)
        now = clock.utcnow()
        with self.db.writer() as session:
            for kind, version, state in (
                ("instance.create", 1, "RUNNING"),
                ("instance.create", 99, "SUCCEEDED"),
                ("instance.create", 98, "WAITING"),
                ("instance.levitate", 1, "QUEUED"),
            ):
                table = models.Workflow.__table__
                values = {
                    "id": ids.new_id(), "kind": kind, "kind_version": version, "resource_type": "instance",
                    "resource_id": ids.new_id(), "project_id": "p", "state": state, "cursor": 0, "inputs": {},
                    "epoch": 0, "created_at": now, "updated_at": now,
                }  # fmt: skip
                session.execute(sa.insert(table).values(values))
        result, details = self.check()[1]["Work in progress"]
        self.assertEqual(FAILURE, result)
        self.assertEqual(2, details.count("does not know"))
        self.assertIn("instance.create version 98", details)
        self.assertIn("instance.levitate version 1", details)

    def test_plugins(self) -> None:
        migration.upgrade(self.db)
        with self.db.writer() as session:
            rows.make_instance(session)
            version = catalog.register_version(session, datastore="oracle", name="1", manager="oracle")
        self.assertEqual(WARNING, self.check()[1]["Datastore plugins"][0])
        with self.db.writer() as session:
            rows.make_instance(session, datastore_version_id=version.id)
        code, found = self.check()
        self.assertEqual((FAILURE, FAILURE), (code, found["Datastore plugins"][0]))
        self.assertIn("needs the plugin oracle", found["Datastore plugins"][1])
