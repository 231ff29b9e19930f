# SPDX-License-Identifier: Apache-2.0
"""``trove-manage image``, through its parser; the build itself is tested with the builder."""

import argparse
import contextlib
import io
import json

from trove.cmd import manage_image
from trove.objects import catalog
from trove.providers.local.images.store import ROOT, Images
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture
from trove.tests.fixtures.rows import make_instance
from trove.tests.unit.providers.local.images import case


class TestManageImage(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "images"
        self.directory.mkdir()
        self.conf = self.new_conf()
        self.conf.set_override("image_dir", str(self.directory), group="local")

    def manage(self, *argv: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        manage_image.add_parser(parser.add_subparsers())
        args = parser.parse_args(["image", *argv])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = manage_image.run(self.conf, args)
        return code, out.getvalue(), err.getvalue()

    def test_list(self) -> None:
        self.assertEqual((0, "", f"no images in {self.directory}\n"), self.manage("list"))
        case.make_image(self.directory, "good")
        (self.directory / ".building-half").mkdir()
        good, half = sorted(self.manage("list")[1].splitlines())
        self.assertRegex(good, r"^good +trixie .* complete +tiny 1\.2$")
        self.assertRegex(half, r"^half .* unusable +incomplete")
        rows = json.loads(self.manage("list", "--json")[1])
        self.assertEqual([("good", "complete"), ("half", "unusable")], [(r["name"], r["state"]) for r in rows])

    def test_show(self) -> None:
        made = case.make_image(self.directory, "good")
        code, out, _ = self.manage("show", "good")
        self.assertEqual(0, code)
        for text in (made.checksum, "engine 1.2-3", "tiny 1.2 in /usr", *made.sources):
            self.assertIn(text, out)
        self.assertEqual(made.checksum, json.loads(self.manage("show", "good", "--json")[1])["checksum"])
        code, out, err = self.manage("show", "none")
        self.assertEqual((1, ""), (code, out))
        self.assertIn("does not exist", err)

    def test_verify(self) -> None:
        case.make_image(self.directory, "good")
        self.assertEqual(0, self.manage("verify", "good")[0])
        (self.directory / "good" / ROOT / "usr/bin/engine").write_bytes(b"Program")
        code, _, err = self.manage("verify", "good")
        self.assertEqual(1, code)
        self.assertIn("not what was built", err)

    def test_another_directory(self) -> None:
        other = self.tempdir()
        case.make_image(other, "there")
        self.assertIn("there", self.manage("list", "--image-dir", str(other))[1])
        self.conf.clear_override("image_dir", group="local")
        self.assertIn("--image-dir", self.manage("list")[2])
        self.conf.set_override("base_dir", str(self.directory.parent), group="local")
        self.assertIn(str(self.directory), self.manage("list")[2])

    def test_a_build_that_cannot_be_asked_for(self) -> None:
        code, _, err = self.manage("build", "x", "--suite", "trixie", "--packages", "a --b")
        self.assertEqual(1, code)
        self.assertIn("'a --b' is not the name of a package", err)
        self.assertEqual([], list(self.directory.iterdir()))

    def test_remove(self) -> None:
        case.make_image(self.directory, "good")
        self.assertEqual(0, self.manage("remove", "good")[0])
        self.assertEqual([], Images(self.directory).entries())
        self.assertEqual(1, self.manage("remove", "good")[0])

    def test_an_image_in_use_is_kept_and_removed_by_force(self) -> None:
        database = self.useFixture(DatabaseFixture("sqlite"))
        self.conf.set_override("connection", database.url, group="database")
        case.make_image(self.directory, "good")
        with database.db.writer() as session:
            version = catalog.register_version(
                session, datastore="tiny", name="1.2", manager="tiny", engine_home="/usr", root_image="good"
            )
            make_instance(session, datastore_version_id=version.id)
        code, _, err = self.manage("remove", "good")
        self.assertEqual(1, code)
        self.assertIn("1 instances use", err)
        Images(self.directory).verify("good")
        code, out, _ = self.manage("remove", "good", "--force")
        self.assertEqual(0, code)
        self.assertIn("tiny 1.2 is deactivated", out)
        with database.db.reader() as session:
            self.assertIs(False, catalog.DatastoreVersion.get(session, version.id).active)
