# SPDX-License-Identifier: Apache-2.0
"""``trove-manage reconciler``, through the program's own parser, on a real database and the local provider."""

import datetime
import json

from trove.common import ids
from trove.db import api
from trove.domain.reconciliation import Finding, Owner, Problem, Seen
from trove.objects import finding
from trove.objects.reconciliation import Scope
from trove.providers import base as providers
from trove.providers.local.provider import LocalProvider, Settings
from trove.tests.fixtures import rows
from trove.tests.unit.cmd import case

START = datetime.datetime(2026, 1, 1)


class TestReconciler(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.done("db_sync")
        self.db = api.Database(f"sqlite:///{self.database}", durable=False)
        self.addCleanup(self.db.dispose)
        directory = self.conf.parent / "local"
        self.provider = LocalProvider(directory, settings=Settings(host="here"))
        self.addCleanup(self.provider.close)
        text = f"[DEFAULT]\nprovider = local\nhost = here\n[local]\nbase_dir = {directory}\n"
        self.conf.write_text(f"{text}[database]\nconnection = sqlite:///{self.database}\n")
        self.instance_id = ids.new_id()

    def find(self, problem: Problem, kind: str = "port", last: datetime.datetime = START) -> str:
        tag = ids.instance_tag(self.instance_id, kind)
        seen = Seen(kind, tag, problem, Owner("instance", self.instance_id), "x", "where it is")
        with self.db.writer() as session:
            finding.save(session, Scope("local", "here"), [Finding(seen, START, last)])
        return tag

    def test_list(self) -> None:
        self.assertEqual("", self.done("reconciler", "list"))
        self.find(Problem.UNKNOWN)
        self.find(Problem.MISSING, "server", START + datetime.timedelta(hours=2))
        out = self.done("reconciler", "list")
        self.assertIn(f"unknown  port  instance:{self.instance_id}  provider local here", out)
        self.assertEqual(1, out.count("(not confirmed yet)"))
        self.assertIn("detail: where it is", out)
        (shown,) = json.loads(self.done("reconciler", "list", "--json", "--problem", "missing"))
        self.assertEqual(("server", True), (shown["kind"], shown["confirmed"]))

    def test_remove(self) -> None:
        for kind in ("volume", "port"):
            self.find(Problem.UNKNOWN, kind)
        self.provider.ensure_volume(providers.VolumeSpec(ids.instance_tag(self.instance_id, "volume"), 1))
        out = self.done("reconciler", "remove", f"instance:{self.instance_id}")
        lines = [f"Removed {kind} instance:{self.instance_id}/{kind}." for kind in ("volume", "port")]
        self.assertEqual(lines, out.splitlines())
        self.assertEqual((), self.provider.list("instance:").items)
        self.assertEqual("", self.done("reconciler", "list"))

    def test_from_a_provider_that_is_not_the_default(self) -> None:
        self.conf.write_text(
            self.conf.read_text().replace("provider = local", "provider = fake\nenabled_providers = fake, local")
        )
        tag = self.find(Problem.UNKNOWN, "volume")
        self.provider.ensure_volume(providers.VolumeSpec(tag, 1))
        out = self.done("reconciler", "remove", f"instance:{self.instance_id}")
        self.assertEqual(f"Removed volume {tag}.\n", out)
        self.assertEqual((), self.provider.list("instance:").items)
        code, out, _ = self.manage("reconciler", "remove", f"instance:{self.instance_id}")
        self.assertEqual(1, code)
        self.assertIn("No comparison with provider fake or local has found anything", out)

    def test_nothing_of_an_instance_that_lives(self) -> None:
        with self.db.writer() as session:
            self.instance_id = rows.make_instance(session).id
        self.find(Problem.ORPHANED)
        code, out, _ = self.manage("reconciler", "remove", f"instance:{self.instance_id}")
        self.assertEqual((1, f"instance:{self.instance_id} is not deleted; nothing was removed.\n"), (code, out))

    def test_nothing_that_was_not_found(self) -> None:
        code, out, _ = self.manage("reconciler", "remove", f"instance:{self.instance_id}")
        self.assertEqual(1, code)
        self.assertIn("No comparison with provider local has found anything", out)
        code, out, _ = self.manage("reconciler", "remove", "everything")
        self.assertEqual(1, code)
        self.assertIn("'everything' is not an owner", out)
