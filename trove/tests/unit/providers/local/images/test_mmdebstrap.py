# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
from pathlib import Path
from unittest import mock

from trove.providers.local.images import mmdebstrap
from trove.providers.local.images.manifest import ImageError
from trove.tests import base


class TestProgress(base.UnitTestCase):
    def test_many_lines_become_few(self) -> None:
        progress = mmdebstrap.Progress()
        lines = ["I: running apt-get update...", "I: running --setup-hook in shell: x"]
        lines += ["Get:1 http://m s InRelease [9 kB]", "0 upgraded, 8 newly installed, 0 to remove"]
        lines += ["Need to get 1,234 kB/9 MB of archives."]
        lines += [f"Get:{n} http://m s/main amd64 p amd64 1 [54.6 kB]" for n in range(8)]
        lines += [f"Setting up p{n} (1) ..." for n in range(8)] + ["W: something"]
        self.assertEqual(
            [
                "running apt-get update",
                "8 packages, 1,234 kB/9 MB to download",
                *(f"downloaded {n} of 8 packages" for n in (2, 4, 6, 8)),
                *(f"set up {n} of 8 packages" for n in (2, 4, 6, 8)),
            ],
            [said for line in lines for said in progress.see(line + "\n")],
        )


class TestMode(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.programs = {"mmdebstrap", "newuidmap", "newgidmap"}
        which = lambda name: f"/usr/bin/{name}" if name in self.programs else None  # noqa: E731
        self.enterContext(mock.patch.object(mmdebstrap.shutil, "which", autospec=True, side_effect=which))
        done = subprocess.CompletedProcess([], 0, stdout="mmdebstrap 1.3.5\n")
        self.run = self.enterContext(mock.patch.object(mmdebstrap.subprocess, "run", autospec=True, return_value=done))
        self.ranges = self.enterContext(mock.patch.object(mmdebstrap, "has_range", autospec=True, return_value=True))

    def mode(self, uid: int) -> str:
        with mock.patch.object(os, "geteuid", autospec=True, return_value=uid):
            return mmdebstrap.choose_mode()

    def test_root_and_ordinary_users_who_may(self) -> None:
        self.assertEqual("root", self.mode(0))
        self.assertEqual("unshare", self.mode(1000))

    def test_everything_that_is_missing_is_named(self) -> None:
        self.programs.remove("newgidmap")
        self.ranges.return_value = False
        self.run.return_value = subprocess.CompletedProcess([], 1, stdout="")
        text = str(self.assertRaises(ImageError, self.mode, 1000))
        for word in ("newgidmap", "uidmap", "/etc/subuid", "/etc/subgid", "user namespaces", "as root"):
            self.assertIn(word, text)
        self.assertNotIn("newuidmap", text)
        self.programs.clear()
        self.assertIn("apt install mmdebstrap", str(self.assertRaises(ImageError, self.mode, 0)))


class TestRange(base.UnitTestCase):
    def test_subordinate_ids(self) -> None:
        file = self.tempdir() / "subuid"
        file.write_text("ann:100000:65536\nbob:200000:1000\n1003:300000:65536\nodd\n")
        asked = {("ann", 1001): True, ("bob", 1002): False, ("eve", 1003): True, ("dan", 1004): False}
        for (name, uid), expected in asked.items():
            self.assertIs(expected, mmdebstrap.has_range(file, name, uid), name)
        self.assertIs(False, mmdebstrap.has_range(Path("/nonexistent"), "ann", 1001))
