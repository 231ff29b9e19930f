# SPDX-License-Identifier: Apache-2.0
"""Servers of the local provider whose engine comes from an image."""

import dataclasses
import json
import os
from unittest import mock

from trove.providers import base
from trove.providers.local import server_record
from trove.providers.local.images.store import ROOT
from trove.tests.contract.providers import test_local
from trove.tests.unit.providers.local.images import case


class ServerFromAnImageTest(test_local.LocalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.images = self.base_dir / "images"
        self.images.mkdir(mode=0o700)
        case.make_image(self.images, "one")
        self.root = self.images / "one" / ROOT
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())

    def spec(self, image: str) -> base.ServerSpec:
        spec = self.server_spec(read=str(self.root / "usr/bin/engine"))
        return dataclasses.replace(spec, root_image=image, engine_home="/usr")

    def test_the_guest_is_told_where_its_engine_is_and_can_read_it(self) -> None:
        self.provider.ensure_server(self.spec("one"))
        self.until(lambda: self.ready(self.provider.find_server(self.tag("server"))))
        self.assertEqual("program", self.facts()["read"])
        document = json.loads((self.server_dir / "state" / "bootstrap.json").read_text())
        self.assertEqual((str(self.root), "/usr"), (document["engine_root"], document["engine_home"]))

    def test_what_cannot_be_used_is_refused_before_anything_is_made(self) -> None:
        (self.images / ".building-half").mkdir()
        os.truncate(self.root / "usr/bin/engine", 0)
        for name in ("one", "half", "none", "../images/one"):
            error = self.assertRaises(base.NotFoundError, self.provider.ensure_server, self.spec(name))
            self.assertIn(name, str(error))
        self.assertIsNone(self.provider.find_server(self.tag("server")))

    def test_a_host_without_bubblewrap_says_so(self) -> None:
        with mock.patch.object(server_record.shutil, "which", autospec=True, return_value=None):
            error = self.assertRaises(base.FatalError, self.provider.ensure_server, self.spec("one"))
        self.assertIn("apt install bubblewrap", str(error))
